// SPDX-License-Identifier: Apache-2.0
// Verifying a receipt: what it says against what stands, without a provider being asked.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { derivedKey, receiptHeader, signJws, signReceipt } from "../support/receipt.mjs";
import { newKey, newSecret, runGatehouse } from "../support/service.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const PATH = "/gate/v1/receipts/verify";
const keys = { first: newKey(), second: newKey(), foreign: newKey() };
const world = await World.open({
  providers: (demo) => ["demo", "other"].map((id) => demo.configure(id)),
  settings: { RECEIPT_KEYS: `${keys.first},${keys.second}` },
});

// An owner with a link at each provider, a version that needs both, and the generations as they are.
async function situation() {
  const owner = await world.createUser();
  await world.link(owner, "demo");
  await world.link(owner, "other");
  const template = await world.createTemplate(["demo", "other"]);
  return { owner, template, version: template.active_version_id, gens: await generations(owner) };
}

async function generations(owner) {
  const rows = await world.sql("SELECT provider_id, generation FROM links WHERE owner_id = $1 ORDER BY 1", [owner.id]);
  return Object.fromEntries(rows.map(({ provider_id, generation }) => [provider_id, Number(generation)]));
}

async function verify(receipt, { token = world.service.adminToken, service = world.service } = {}) {
  const answer = await service.request("POST", PATH, { token, body: { receipt } });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

async function assertReason(receipt, reason, options) {
  const verdict = await verify(receipt, options);
  assert.deepEqual([verdict.valid, verdict.reason], [reason === null, reason]);
  return verdict;
}

test("a good receipt is good, again and again, and no provider is asked", async () => {
  const { owner, version, gens } = await situation();
  const decision = randomUUID();
  const issued = Math.floor(Date.now() / 1000);
  const receipt = signReceipt(keys.first, { owner, version, gens, decision, issued });
  const asked = await world.demo.asked(["demo", "other"]);
  const wanted = {
    valid: true, reason: null, decision_id: decision, owner: owner.username, template_version_id: version,
    expires_at: new Date((issued + 600) * 1000).toISOString(),
  };
  for (const token of [world.service.adminToken, owner.token, owner.token])
    assert.deepEqual(await assertLeavesNothing(world, () => verify(receipt, { token })), wanted);
  assert.equal(await world.demo.asked(["demo", "other"]), asked);
});

test("a receipt without a version, or without links, is good", async () => {
  const { owner, version, gens } = await situation();
  await assertReason(signReceipt(keys.first, { owner, gens: { demo: gens.demo } }), null);
  await assertReason(signReceipt(keys.first, { owner, version }), null);
  await assertReason(signReceipt(keys.first, { owner }), null);
});

test("a receipt is good until its last second is over", async () => {
  const { owner, version, gens } = await situation();
  const issued = Math.floor(Date.now() / 1000) - 600;
  const verdict = await assertReason(signReceipt(keys.first, { owner, version, gens, issued }), "expired");
  assert.equal(verdict.owner, owner.username);
  await assertReason(signReceipt(keys.first, { owner, version, gens, issued, lifetime: 605 }), null);
  await assertReason(signReceipt(keys.first, { owner, version, gens, issued, lifetime: 0 }), "expired");
});

test("unlinking one of two ends it, and so does linking that again", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  const unlinked = await world.api("DELETE", "/api/v2/external-auth/other", { token: owner.token });
  assert.equal(unlinked.status, 200, unlinked.text);
  await assertReason(receipt, "links_changed");
  await world.link(owner, "other");
  await assertReason(receipt, "links_changed");
  await assertReason(signReceipt(keys.first, { owner, version, gens: await generations(owner) }), null);
});

test("linking anew ends it", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  await world.linkThroughBrowser(owner, "demo");
  await assertReason(receipt, "links_changed");
});

test("a refresh ends it", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["demo"]);
  await world.link(owner, "demo", { withRefreshToken: true });
  const gens = await generations(owner);
  await world.sql("UPDATE links SET expires_at = now() - interval '1 second' WHERE owner_id = $1", [owner.id]);
  const receipt = signReceipt(keys.first, { owner, version: template.active_version_id, gens });
  await assertReason(receipt, null);
  assert.equal((await world.createWorkspace(owner, template)).status, 201);
  assert.notDeepEqual(await generations(owner), gens);
  await assertReason(receipt, "links_changed");
});

test("a generation that has not been yet, and a link of nobody's, are not good", async () => {
  const { owner, version, gens } = await situation();
  await assertReason(signReceipt(keys.first, { owner, version, gens: { ...gens, demo: gens.demo + 1 } }), "links_changed");
  await assertReason(signReceipt(keys.first, { owner, version, gens: { ...gens, never: 1 } }), "links_changed");
});

test("another's links do not stand for the owner's", async () => {
  const { owner, version, gens } = await situation();
  const stranger = await world.createUser();
  assert.deepEqual(await generations(owner), gens);
  await assertReason(signReceipt(keys.first, { owner: stranger, version, gens }), "links_changed");
});

test("a suspended owner's is void while they are, and a deleted one's for ever", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  await assertReason(receipt, "owner_suspended");
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "active" });
  await assertReason(receipt, null);
  await world.expect(204, "DELETE", `/api/v2/users/${owner.id}`);
  await assertReason(receipt, "owner_gone");
  await world.createUser({ username: owner.username });
  await assertReason(receipt, "owner_gone");
});

test("an archived version's is void while it is; an unknown one's always", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  await world.expect(200, "POST", `/api/v2/templateversions/${version}/archive`);
  await assertReason(receipt, "version_archived");
  await world.expect(200, "POST", `/api/v2/templateversions/${version}/unarchive`);
  await assertReason(receipt, null);
  await assertReason(signReceipt(keys.first, { owner, version: UNKNOWN_ID, gens }), "version_gone");
});

test("an owner whom nobody has seen goes by name", async () => {
  const { version } = await situation();
  const unseen = { username: world.name("unseen") };
  const receipt = signReceipt(keys.first, { owner: unseen, version });
  const verdict = await assertReason(receipt, null);
  assert.equal(verdict.owner, unseen.username);
  const user = await world.createUser({ username: unseen.username });
  await assertReason(receipt, null);
  await assertReason(receipt, null, { token: user.token });
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  await assertReason(receipt, "owner_suspended");
});

test("every key of the list verifies, another does not, and no text of it is believed", async () => {
  const { owner, version, gens } = await situation();
  await assertReason(signReceipt(keys.second, { owner, version, gens }), null);
  const verdict = await assertReason(signReceipt(keys.foreign, { owner, version, gens }), "unknown_key");
  assert.deepEqual(verdict, { valid: false, reason: "unknown_key", decision_id: null, owner: null, template_version_id: null, expires_at: null });
});

test("keys turn over: the second becomes the first, and the first goes", async () => {
  const { owner, version, gens } = await situation();
  const receipts = [keys.first, keys.second].map((key) => signReceipt(key, { owner, version, gens }));
  const turned = await world.replica({ settings: { RECEIPT_KEYS: `${keys.second},${keys.first}` } });
  for (const receipt of receipts) await assertReason(receipt, null, { service: turned });
  const done = await world.replica({ settings: { RECEIPT_KEYS: keys.second } });
  await assertReason(receipts[0], "unknown_key", { service: done });
  await assertReason(receipts[1], null, { service: done });
});

test("without receipt keys they come from the encryption keys", async () => {
  const { owner, version, gens } = await situation();
  const replica = await world.replica({ settings: { RECEIPT_KEYS: undefined } });
  await assertReason(signReceipt(derivedKey(replica.key), { owner, version, gens }), null, { service: replica });
  await assertReason(signReceipt(replica.key, { owner, version, gens }), "unknown_key", { service: replica });
  assert.ok(!replica.stderr.includes("no receipts"), replica.stderr);
});

test("receipt keys come from a file, too", async () => {
  const { owner, version, gens } = await situation();
  const file = join(world.service.stateDirectory, "receipt-keys");
  writeFileSync(file, `${keys.foreign}\n`, { mode: 0o600 });
  const replica = await world.replica({ settings: { RECEIPT_KEYS: undefined, RECEIPT_KEYS_FILE: file } });
  await assertReason(signReceipt(keys.foreign, { owner, version, gens }), null, { service: replica });
});

test("with no keys at all every receipt is of an unknown key, and the log says once why", async () => {
  const bare = await World.create({ settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined, ALLOW_CLEARTEXT_TOKENS: "true" } });
  try {
    const owner = await bare.createUser();
    await assertReason(signReceipt(keys.first, { owner }), "unknown_key", { service: bare.service, token: owner.token });
    const warnings = bare.service.logLines().filter(({ message, msg }) => (message ?? msg ?? "").startsWith("no receipts"));
    assert.equal(warnings.length, 1, bare.service.stderr);
  } finally {
    await bare.close();
  }
});

test("an altered receipt is not believed, whoever asks", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  const stranger = await world.createUser();
  const [header, claims, mac] = receipt.split(".");
  const richer = Buffer.from(claims, "base64url").toString().replace(owner.username, stranger.username);
  for (const token of [owner.token, stranger.token, world.service.adminToken]) {
    const verdict = await assertReason(`${header}.${Buffer.from(richer).toString("base64url")}.${mac}`, "bad_signature", { token });
    assert.equal(verdict.owner, null);
  }
});

test("whatever is no receipt of ours is malformed", async () => {
  const { owner, version, gens } = await situation();
  const good = signReceipt(keys.first, { owner, version, gens });
  const claims = JSON.parse(Buffer.from(good.split(".")[1], "base64url").toString());
  const header = receiptHeader(keys.first);
  const [head, body] = good.split(".");
  const texts = [
    "", "x", "..", "a.b.c", "é", `${good}.`, `${good}=`, ` ${good}`, `${head}.${body}.`, `${head}.${body}`,
    signJws(keys.first, { ...header, alg: "none" }, claims), `${signJws(keys.first, { ...header, alg: "none" }, claims).replace(/[^.]*$/, "")}`,
    signJws(keys.first, { ...header, alg: "HS512" }, claims), signJws(keys.first, { ...header, typ: "JWT" }, claims),
    signJws(keys.first, { ...header, crit: ["exp"] }, claims), signJws(keys.first, header, { ...claims, iss: "other" }),
    signJws(keys.first, header, { ...claims, gens: [] }), signJws(keys.first, header, { ...claims, padding: "x".repeat(8192) }),
    "x".repeat(500000),
  ];
  for (const text of texts) await assertReason(text, "malformed");
});

test("a member may not ask about another's receipt, and learns nothing of them", async () => {
  const { owner, version, gens } = await situation();
  const stranger = await world.createUser();
  const receipts = [
    signReceipt(keys.first, { owner, version, gens }),
    signReceipt(keys.first, { owner, version, gens, issued: 1000000000 }),
    signReceipt(keys.first, { owner: { id: randomUUID(), username: "nobody" }, version, gens }),
    signReceipt(keys.first, { owner: { username: "unseen" } }),
    // The name alone does not make it one's own, as long as there is an id.
    signReceipt(keys.first, { owner: { id: owner.id, username: stranger.username } }),
  ];
  const said = [];
  for (const receipt of receipts) {
    const answer = await world.api("POST", PATH, { token: stranger.token, body: { receipt } });
    const { request_id, ...body } = assertError(answer, 403, "forbidden");
    said.push(body);
  }
  for (const body of said) assert.deepEqual(body, said[0]);
});

test("the right is asked for before the database", async () => {
  const { owner, version, gens } = await situation();
  const stranger = await world.createUser();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  assert.equal((await world.api("POST", PATH, { body: { receipt } })).status, 401);
  assertError(await world.api("POST", PATH, { token: newSecret(), body: { receipt } }), 401, "unauthenticated");
  assertError(await world.api("POST", PATH, { token: stranger.token, body: { receipt } }), 403, "forbidden");
});

for (const body of [{}, { receipt: null }, { receipt: 5 }, { receipt: {} }, { receipt: [] }])
  test(`the body ${JSON.stringify(body)} is refused`, async () =>
    assertError(await world.admin("POST", PATH, body), 400, "validation_failed", "receipt"));

test("a receipt is not in the log", async () => {
  const { owner, version, gens } = await situation();
  const receipt = signReceipt(keys.first, { owner, version, gens });
  await assertReason(receipt, null);
  await assertReason(`${receipt}x`, "malformed");
  assert.ok(!world.service.output().includes(receipt.split(".")[2]));
  for (const key of Object.values(keys)) assert.ok(!world.service.output().includes(key));
});

test("wrong settings are refused at start without showing a key", async () => {
  for (const [name, value] of [["RECEIPT_KEYS", "c2hvcnQ="], ["RECEIPT_KEYS", `${keys.first},`], ["RECEIPT_LIFETIME", "25h"], ["RECEIPT_LIFETIME", "1s"]]) {
    const end = await runGatehouse(["check-config"], { [`GATEHOUSE_${name}`]: value });
    assert.equal(end.code, 2, JSON.stringify(end));
    assert.match(end.stderr, new RegExp(`GATEHOUSE_${name}: ${name.toLowerCase()}: `));
    assert.ok(!end.stderr.includes(keys.first) && !end.stderr.includes("c2hvcnQ="), end.stderr);
  }
});
