// SPDX-License-Identifier: Apache-2.0
// The pages over HTTP: who may see them, which forms are believed, and what each answers where something is wrong. How
// they look and work in a browser is e2e/pages.test.mjs.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { hashOf, poll, startDevice } from "../support/login.mjs";
import { OAuthServer } from "../support/oauth_server.mjs";
import { freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { assertError, World } from "../support/world.mjs";

const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const secret = newSecret();
const signIn = await OAuthServer.start({ clients: [{ id: "gatehouse", secret, redirect: `${base}/login/callback` }] });
after(() => signIn.stop());
const world = await World.open({
  providers: (demo) => [demo.configure("demo"), demo.configure("device", { device_flow: true, device_code_url: `${demo.base}/device/device/code` })],
  settings: {
    HTTP_ADDRESS: `127.0.0.1:${port}`, OIDC_ISSUER: signIn.issuer, OIDC_CLIENT_ID: "gatehouse", OIDC_CLIENT_SECRET: secret,
    OIDC_USERNAME_CLAIM: "sub", OIDC_SCOPES: "openid",
  },
});
const { demo, service } = world;
const without = await world.replica({ settings: { HTTP_ADDRESS: `127.0.0.1:${await freePort()}`, OIDC_ISSUER: undefined, OIDC_CLIENT_ID: undefined, OIDC_CLIENT_SECRET: undefined, OIDC_USERNAME_CLAIM: undefined, OIDC_SCOPES: undefined } });

async function signedIn() {
  const user = await world.createUser();
  signIn.account = user.username;
  const browser = new Browser();
  const answers = await browser.travel(`${base}/login/start`, service);
  assert.equal(answers.at(-1).status, 200, answers.at(-1).text);
  return { user, browser };
}

const csrfOf = (html) => html.match(/name="csrf" value="([^"]+)"/)[1];
const get = (browser, path) => browser.visit(`${base}${path}`, service);
const post = (browser, path, fields, headers = {}) => browser.visit(`${base}${path}`, service, {
  method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers }, body: new URLSearchParams(fields).toString(),
});
const asProgram = { Accept: "application/json" };
const linksOf = async (user) => (await world.api("GET", "/api/v2/external-auth", { token: user.token })).body.links;

test("who has not signed in is sent to sign in, and back", async () => {
  for (const path of ["/", "/device", "/device?user_code=ABCD-EFGH", "/external-auth/demo"]) {
    const answer = await get(new Browser(), path);
    assert.equal(answer.status, 303, answer.text);
    assert.equal(answer.next.pathname, "/login");
    assert.equal(answer.next.searchParams.get("redirect"), path);
  }
});

test("where sign-in is not configured the pages are 401, as page and as JSON", async () => {
  for (const path of ["/", "/device"]) {
    assertError(await new Browser({ accept: "application/json" }).visit(`${without.accessUrl}${path}`, without), 401, "session_required");
    const page = await new Browser().visit(`${without.accessUrl}${path}`, without);
    assert.equal(page.status, 401);
    assert.match(page.text, /What to do/);
  }
});

test("every page has its policy and no referrer", async () => {
  const { browser } = await signedIn();
  for (const path of ["/", "/device", "/external-auth/demo", "/nowhere", "/external-auth/nothing", "/login?redirect=//evil"]) {
    const { headers } = await get(path.includes("evil") ? new Browser() : browser, path);
    assert.match(headers["content-security-policy"], /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/, path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
    assert.equal(headers["cache-control"], "no-store", path);
  }
});

test("a page is for browsers; a path of the API answers JSON whatever is accepted", async () => {
  const answer = await new Browser().visit(`${base}/api/v2/nowhere`, service);
  assert.equal(answer.status, 404);
  assert.match(answer.headers["content-type"], /^application\/json/);
  assertError(await new Browser({ accept: "*/*" }).visit(`${base}/nowhere`, service), 404, "not_found");
});

test("before connecting, the page says what will be asked; nothing is begun until somebody goes on", async () => {
  const { browser } = await signedIn();
  const page = await get(browser, "/external-auth/demo?redirect=/done");
  assert.equal(page.status, 200);
  assert.match(page.text, /Connect Demo demo/);
  assert.match(page.text, /href="\/external-auth\/demo\?go=1&amp;redirect=%2Fdone"/);
  const [{ count }] = await world.sql("SELECT count(*)::int AS count FROM oauth_states");
  assert.equal(count, 0);
  assert.equal((await get(browser, "/external-auth/demo?go=1")).status, 303);
});

test("a link that signed-in people start is theirs, also where somebody else's ticket was opened in this browser", async () => {
  const { user, browser } = await signedIn();
  const other = await world.createUser();
  await browser.visit(await world.linkUrl(other, "demo"), service);
  const answers = await browser.travel(`${base}/external-auth/demo?go=1`, service);
  assert.equal(answers.at(-1).status, 200, answers.at(-1).text);
  assert.equal((await linksOf(user)).length, 1);
  assert.equal((await linksOf(other)).length, 0);
});

test("an opened ticket is finished for its own user, also by somebody who has signed in", async () => {
  const { user, browser } = await signedIn();
  const other = await world.createUser();
  const answers = await browser.travel(await world.linkUrl(other, "demo"), service);
  assert.equal(answers.at(-1).status, 200, answers.at(-1).text);
  assert.equal((await linksOf(user)).length, 0);
  assert.equal((await linksOf(other)).length, 1);
});

test("disconnecting takes a form of this session, once", async () => {
  const { user, browser } = await signedIn();
  const stranger = await signedIn();
  await world.link(user);
  const csrf = csrfOf((await get(browser, "/")).text);
  const foreign = csrfOf((await get(stranger.browser, "/")).text);
  const path = "/external-auth/demo/disconnect";
  for (const fields of [{}, { csrf: "" }, { csrf: foreign }]) assertError(await post(browser, path, fields, asProgram), 403, "forbidden");
  assertError(await post(new Browser(), path, { csrf }, asProgram), 401, "session_required");
  assert.equal((await linksOf(user)).length, 1);
  const done = await post(browser, path, { csrf });
  assert.equal(done.status, 303, done.text);
  assert.match((await browser.visit(done.next, service)).text, /Demo demo is disconnected/);
  assert.equal((await linksOf(user)).length, 0);
  assertError(await post(browser, path, { csrf }, asProgram), 404, "not_found");
});

test("what is not set up any more can still be disconnected", async () => {
  const { user, browser } = await signedIn();
  await world.link(user);
  await world.sql("UPDATE links SET provider_id = 'gone' WHERE owner_id = $1", [user.id]);
  const page = await get(browser, "/");
  assert.match(page.text, /No longer offered/);
  assert.equal((await post(browser, "/external-auth/gone/disconnect", { csrf: csrfOf(page.text) })).status, 303);
  assert.deepEqual(await linksOf(user), []);
});

test("a suspended user sees and does nothing any more", async () => {
  const { user, browser } = await signedIn();
  const csrf = csrfOf((await get(browser, "/")).text);
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  for (const answer of [await get(browser, "/"), await get(browser, "/device"), await post(browser, "/device", { csrf, user_code: "x" }, asProgram)])
    assert.ok([303, 401, 403].includes(answer.status), `${answer.status}`);
});

test("the code's form wants a code and a yes or a no", async () => {
  const { browser } = await signedIn();
  const csrf = csrfOf((await get(browser, "/device")).text);
  assertError(await post(browser, "/device", { csrf }, asProgram), 400, "bad_request");
  assertError(await post(browser, "/device", { csrf, user_code: "ABCD-EFGH", decision: "perhaps" }, asProgram), 400, "bad_request");
  assertError(await post(browser, "/device", { user_code: "ABCD-EFGH" }, asProgram), 403, "forbidden");
  assertError(await post(new Browser(), "/device", { csrf, user_code: "ABCD-EFGH" }, asProgram), 401, "session_required");
});

test("a code is looked at, then answered once; a second answer finds nothing", async () => {
  for (const decision of ["approve", "deny"]) {
    const { user, browser } = await signedIn();
    const asked = JSON.parse((await post(new Browser(), "/oauth2/device_authorization", { client_id: "gatehouse-cli" }, asProgram)).text);
    const page = await get(browser, `/device?user_code=${asked.user_code}`);
    assert.equal(page.status, 200, page.text);
    assert.match(page.text, new RegExp(asked.user_code));
    const form = { csrf: csrfOf(page.text), user_code: asked.user_code };
    assert.match((await post(browser, "/device", form)).text, /Is this your command line/);
    const done = await post(browser, "/device", { ...form, decision });
    assert.equal(done.status, 200, done.text);
    assert.equal((await post(browser, "/device", { ...form, decision: "approve" })).status, 404);
    const [row] = await world.sql("SELECT action FROM audit_log WHERE action LIKE 'login.%' AND subject_user_id = $1", [user.id]);
    assert.equal(row.action, `login.${decision}`);
  }
});

test("wrong codes are told alike, and too many of them end the trying", async () => {
  const { browser } = await signedIn();
  const csrf = csrfOf((await get(browser, "/device")).text);
  assert.equal((await get(browser, "/device?user_code=2345-6789")).status, 404);
  let answer;
  for (let tries = 0; tries < 30; tries++) {
    answer = await post(browser, "/device", { csrf, user_code: `2345-67${22 + tries}` });
    if (answer.status === 429) break;
    assert.equal(answer.status, 404, answer.text);
  }
  assert.equal(answer.status, 429);
  assert.ok(Number(answer.headers["retry-after"]) >= 1);
  assert.equal((await get(browser, "/device?user_code=2345-6789")).status, 429);
});

test("a code that never was, is over, was answered or was redeemed is told in the same words, and stands in no log", async () => {
  const { user, browser } = await signedIn();
  const csrf = csrfOf((await get(browser, "/device")).text);
  const codes = { unknown: { user_code: "2345-6789" } };
  await world.sql("DELETE FROM login_attempts"); // what other tests entered from this address
  for (const name of ["expired", "denied", "approved", "redeemed"]) codes[name] = await startDevice(world);
  await world.sql("UPDATE device_grants SET expires_at = now() WHERE code_hash = $1", [hashOf(codes.expired.device_code)]);
  for (const [name, decision] of [["denied", "deny"], ["approved", "approve"], ["redeemed", "approve"]])
    assert.equal((await post(browser, "/device", { csrf, user_code: codes[name].user_code, decision })).status, 200);
  assert.equal((await poll(world, codes.redeemed)).status, 200);
  const told = new Set();
  for (const { user_code } of Object.values(codes)) {
    const pages = [await get(browser, `/device?user_code=${user_code}`), await post(browser, "/device", { csrf, user_code, decision: "approve" })];
    for (const { status, text } of pages) told.add(`${status} ${text.replaceAll(user_code, "CODE")}`);
    assert.ok(!service.output().includes(user_code) && !service.output().includes(user_code.replace("-", "")));
  }
  assert.equal(told.size, 1, [...told].join("\n"));
  assert.equal((await world.sql("SELECT FROM token_families WHERE user_id = $1", [user.id])).length, 1);
});

test("a code of the provider: asked for, waiting, refused", async () => {
  const { user, browser } = await signedIn();
  const csrf = csrfOf((await get(browser, "/")).text);
  const path = "/external-auth/device/device";
  assertError(await post(browser, path, {}, asProgram), 403, "forbidden");
  assertError(await post(new Browser(), path, { csrf }, asProgram), 401, "session_required");
  assertError(await post(browser, "/external-auth/demo/device", { csrf }, asProgram), 404, "not_found");
  assertError(await post(browser, path, { csrf, device_code: "x" }, asProgram), 400, "bad_request");
  const page = await post(browser, path, { csrf });
  assert.equal(page.status, 200, page.text);
  const field = (name) => page.text.match(new RegExp(`name="${name}" value="([^"]+)"`))[1];
  const form = { csrf, device_code: field("device_code"), user_code: field("user_code"), verification_uri: field("verification_uri") };
  assert.match((await post(browser, path, { ...form, verification_uri: "javascript:alert(1)" }, asProgram)).text, /bad_request/);
  const waiting = await post(browser, path, form);
  assert.match(waiting.text, /role="status"/);
  assert.match(waiting.text, /check now/);
  const unknown = await post(browser, path, { ...form, device_code: "ghd_unknown" });
  assert.match(unknown.text, /Get a new code/);
  await demo.fault("device", "device", { status: 500 });
  assertError(await post(browser, path, { csrf }, asProgram), 502, "provider_failed");
  await demo.fault("device", "device", { status: 429, headers: { "Retry-After": "7" } });
  const later = assertError(await post(browser, path, { csrf }, asProgram), 503, "provider_rate_limited");
  assert.ok(later);
  await demo.fault("device", "device", null);
  assert.deepEqual(await linksOf(user), []);
});
