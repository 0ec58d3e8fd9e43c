// SPDX-License-Identifier: Apache-2.0
// Device authorization and polling: rows D and T of the checklist that are the server's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT_ID, decide, DEVICE_CODE, hashOf, logIn, poll, postForm, startDevice } from "../support/login.mjs";
import { World } from "../support/world.mjs";

const world = await World.open();
const alice = await world.createUser({ username: "alice" });
const begin = (fields, options) => postForm(world.service, "/oauth2/device_authorization", fields, options);
const changeTime = (codes, column, by) =>
  world.sql(`UPDATE device_grants SET ${column} = ${column} ${by} WHERE code_hash = $1`, [hashOf(codes.device_code)]);

function assertRefused(answer, status, error) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.error, error, answer.text);
  assert.equal(answer.headers.pragma, "no-cache");
  assert.equal(answer.headers["cache-control"], "no-store");
}

test("D3 D4 D5 D10 a request gives both codes, from the access URL, for nobody's cache", async () => {
  const answer = await begin({ client_id: CLIENT_ID });
  assert.equal(answer.status, 200);
  const { device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval } = answer.body;
  assert.equal(verification_uri, `${world.service.accessUrl}/device`);
  assert.equal(verification_uri_complete, `${verification_uri}?user_code=${user_code}`);
  assert.ok(verification_uri.length < 40);
  assert.deepEqual([expires_in, interval], [900, 5]);
  assert.ok(Buffer.from(device_code.slice(4), "base64url").length >= 32);
  assert.match(user_code, /^[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}$/);
  assert.equal(answer.headers.pragma, "no-cache");
  const foreign = await begin({ client_id: CLIENT_ID }, { headers: { Host: "evil.example" } });
  assert.equal(foreign.body.verification_uri, verification_uri);
});

test("D1 unknown parameters are ignored, empty ones absent, repeated ones refused, and only forms are read", async () => {
  assert.equal((await begin({ client_id: CLIENT_ID, foo: "1", scope: "" })).status, 200);
  assertRefused(await begin([["client_id", CLIENT_ID], ["client_id", CLIENT_ID]]), 400, "invalid_request");
  assertRefused(await begin({ client_id: "" }), 400, "invalid_request");
  const broken = { "Content-Type": "application/x-www-form-urlencoded" };
  for (const raw of ["client_id=%", "client_id=%ff", "client_id=%00"])
    assertRefused(await world.api("POST", "/oauth2/device_authorization", { raw, headers: broken }), 400, "invalid_request");
  assertRefused(await world.api("POST", "/oauth2/device_authorization", { raw: "client_id=\0", headers: broken }), 400, "invalid_request");
});

test("D1 R1 T3 what the server refuses before the endpoint has seen it is in the words of OAuth, too", async () => {
  const large = { raw: `client_id=${"x".repeat(1100000)}`, headers: { "Content-Type": "application/x-www-form-urlencoded" } };
  for (const path of ["/oauth2/device_authorization", "/oauth2/token", "/oauth2/revoke"]) {
    const wrongMethod = await world.api("GET", path, { headers: { Accept: "text/html" } });
    assertRefused(wrongMethod, 405, "invalid_request");
    assert.equal(wrongMethod.headers.allow, "POST");
    assertRefused(await world.api("POST", path, { body: { client_id: CLIENT_ID } }), 415, "invalid_request");
    assertRefused(await world.api("POST", path, large), 413, "invalid_request");
  }
});

test("D2 R2 the client is named, public, and the only one", async () => {
  const basic = { headers: { Authorization: `Basic ${Buffer.from(`${CLIENT_ID}:secret`).toString("base64")}` } };
  for (const path of ["/oauth2/device_authorization", "/oauth2/token", "/oauth2/revoke"]) {
    assertRefused(await postForm(world.service, path, { foo: "1" }), 400, "invalid_request");
    assertRefused(await postForm(world.service, path, { client_id: "another" }), 401, "invalid_client");
    assertRefused(await postForm(world.service, path, { client_id: CLIENT_ID, client_secret: "x" }), 401, "invalid_client");
    const refused = await postForm(world.service, path, { client_id: CLIENT_ID }, basic);
    assertRefused(refused, 401, "invalid_client");
    assert.match(refused.headers["www-authenticate"], /^Basic /);
  }
  assertRefused(await begin({ client_id: CLIENT_ID, scope: "all" }), 400, "invalid_scope");
});

test("D9 no code is in the database or the log as it is", async () => {
  const codes = await startDevice(world);
  await poll(world, codes);
  const dump = await world.psqlDump();
  for (const code of [codes.device_code, codes.user_code, codes.user_code.replace("-", "")]) {
    assert.ok(!dump.includes(code));
    assert.ok(!world.service.output().includes(code));
  }
});

test("T1 the grant is named, and so is the code", async () => {
  const token = (fields) => postForm(world.service, "/oauth2/token", { client_id: CLIENT_ID, ...fields });
  assertRefused(await token({}), 400, "invalid_request");
  assertRefused(await token({ grant_type: DEVICE_CODE }), 400, "invalid_request");
  assertRefused(await token({ grant_type: "authorization_code", code: "x" }), 400, "unsupported_grant_type");
  assertRefused(await token({ grant_type: DEVICE_CODE, device_code: "x".repeat(5000) }), 400, "invalid_grant");
});

test("T2 a code is its client's", async () => {
  const codes = await startDevice(world);
  const foreign = await startDevice(world);
  await decide(world, codes, alice);
  await world.sql("UPDATE device_grants SET client_id = 'another' WHERE code_hash = $1", [hashOf(foreign.device_code)]);
  assertRefused(await poll(world, foreign), 400, "invalid_grant");
  assertRefused(await poll(world, codes, { client_id: "another" }), 401, "invalid_client");
  assert.equal((await poll(world, codes)).status, 200);
});

test("T3 each state says its word", async () => {
  const pending = await startDevice(world);
  const denied = await startDevice(world);
  const expired = await startDevice(world);
  assertRefused(await poll(world, pending), 400, "authorization_pending");
  assertRefused(await poll(world, pending), 400, "slow_down");
  await decide(world, denied, alice, "denied");
  assertRefused(await poll(world, denied), 400, "access_denied");
  await changeTime(expired, "expires_at", "- interval '15 minutes'");
  assertRefused(await poll(world, expired), 400, "expired_token");
});

test("T4 an honest pace is never punished, haste is, and an approved code is given at once", async () => {
  const codes = await startDevice(world);
  for (let i = 0; i < 45; i++) {
    assertRefused(await poll(world, codes), 400, "authorization_pending");
    await changeTime(codes, "polled_at", `- interval '${4600 + ((i * 7919) % 800)} milliseconds'`);
  }
  assertRefused(await poll(world, codes), 400, "authorization_pending");
  assertRefused(await poll(world, codes), 400, "slow_down");
  await changeTime(codes, "polled_at", "- interval '6 seconds'");
  assertRefused(await poll(world, codes), 400, "slow_down");
  // The interval is 15 s by now, and is measured from the last poll that came in time: fifteen seconds ago.
  await changeTime(codes, "polled_at", "- interval '9 seconds'");
  assertRefused(await poll(world, codes), 400, "authorization_pending");
  await decide(world, codes, alice);
  assert.equal((await poll(world, codes)).status, 200);
});

test("T5 T8 of fifty polls at once all get one pair, and a minute later nobody does", async () => {
  const codes = await startDevice(world);
  await decide(world, codes, alice);
  const before = await world.sql("SELECT count(*)::int AS n FROM token_families");
  const answers = await Promise.all(Array.from({ length: 50 }, () => poll(world, codes)));
  const pairs = new Set(answers.map(({ status, body }) => `${status} ${body.access_token} ${body.refresh_token}`));
  assert.equal(pairs.size, 1);
  assert.equal(answers[0].status, 200);
  const after = await world.sql("SELECT count(*)::int AS n FROM token_families");
  assert.equal(after[0].n, before[0].n + 1);
  await changeTime(codes, "redeemed_at", "- interval '1 minute'");
  assertRefused(await poll(world, codes), 400, "invalid_grant");
});

test("T5 the answers of polls that come at once are the same to the byte", async () => {
  const answers = [];
  // A second may end between two of them; not in each of three rounds.
  for (let round = 0; round < 3; round++) {
    const codes = await startDevice(world);
    await decide(world, codes, alice);
    const texts = await Promise.all(Array.from({ length: 10 }, async () => (await poll(world, codes)).text));
    answers.push(new Set(texts).size);
  }
  assert.ok(answers.includes(1), `${answers} different answers to ten polls`);
});

test("T5 also over two replicas", async () => {
  const other = await world.replica();
  for (let round = 0; round < 5; round++) {
    const codes = await startDevice(world);
    await decide(world, codes, alice);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => poll(world, codes, { service: i % 2 ? other : world.service })));
    assert.equal(new Set(answers.map(({ body }) => body.refresh_token)).size, 1);
  }
});

test("T7 what is approved in time is redeemed a little late", async () => {
  const codes = await startDevice(world);
  await changeTime(codes, "expires_at", "- interval '899 seconds'");
  await decide(world, codes, alice);
  await changeTime(codes, "expires_at", "- interval '30 seconds'");
  assert.equal((await poll(world, codes)).status, 200);
  const late = await startDevice(world);
  await decide(world, late, alice);
  await changeTime(late, "expires_at", "- interval '961 seconds'");
  assertRefused(await poll(world, late), 400, "expired_token");
  assertRefused(await poll(world, late), 400, "expired_token");
});

test("the tokens are the user's, and their access token is no API key", async () => {
  const tokens = await logIn(world, alice);
  assert.deepEqual([tokens.token_type, tokens.expires_in], ["Bearer", 900]);
  const me = await world.api("GET", "/api/v2/users/me", { token: tokens.access_token });
  assert.equal(me.body.username, "alice");
  const keys = await world.api("GET", "/api/v2/users/me/keys/tokens", { token: tokens.access_token });
  assert.equal(keys.body.tokens.length, 1);
});

test("A2 the address kept is the client's: from a trusted proxy's header alone", async () => {
  const addressOf = async (service, forwarded) => {
    const headers = forwarded ? { "X-Forwarded-For": forwarded, "User-Agent": "cli/1" } : {};
    const { body } = await postForm(service, "/oauth2/device_authorization", { client_id: CLIENT_ID }, { headers });
    const [row] = await world.sql("SELECT address, agent FROM device_grants WHERE code_hash = $1", [hashOf(body.device_code)]);
    return [row.address, row.agent];
  };
  assert.deepEqual(await addressOf(world.service, "192.0.2.1"), ["127.0.0.1", "cli/1"]);
  const trusting = await world.replica({ settings: { TRUSTED_PROXIES: "127.0.0.1,198.51.100.0/24" } });
  assert.deepEqual(await addressOf(trusting, "203.0.113.9, 192.0.2.1, 198.51.100.7"), ["192.0.2.1", "cli/1"]);
  assert.deepEqual(await addressOf(trusting, ","), ["127.0.0.1", "cli/1"]);
  assert.equal((await addressOf(trusting))[0], "127.0.0.1");
});

test("only so many codes wait for one address", async () => {
  let answer;
  for (let i = 0; i <= 100; i++) {
    answer = await begin({ client_id: CLIENT_ID });
    if (answer.status !== 200) break;
  }
  assertRefused(answer, 429, "temporarily_unavailable");
  assert.ok(Number(answer.headers["retry-after"]) > 0);
  await world.sql("DELETE FROM device_grants WHERE status = 'pending'");
});
