// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key: what is sent again is done once and answered as it was, whoever was asked, whoever left and whoever
// was killed; and what was not done is asked anew.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { assertError, assertLeavesNothing, assertLeavesOnlyKey, World } from "../support/world.mjs";

const HELD = ["held", "left", "killed", "over", "late", "raced"];
const world = await World.open({ providers: (demo) => ["demo", ...HELD].map((id) => demo.configure(id)) });
const { demo } = world;
const second = await world.replica();
const free = await world.createTemplate();
const needsDemo = await world.createTemplate(["demo"]);

const pathOf = (user) => `/api/v2/users/${user.username}/workspaces`;
const post = (path, token, key, body, { service = world.service, ...rest } = {}) =>
  service.request("POST", path, { token, body, headers: key === undefined ? {} : { "Idempotency-Key": key }, ...rest });
const create = (user, key, body, options) => post(pathOf(user), user.token, key, body, options);
const bodyFor = (template, name = world.name("ws")) => ({ name, template_id: template.id });
const workspacesOf = async (user) => (await world.sql("SELECT id FROM workspaces WHERE owner_id = $1", [user.id])).map(({ id }) => id);
const keysOf = (user) => world.sql("SELECT held_until, status, location, body FROM idempotency_keys WHERE user_id = $1", [user.id]);

// All that a client may rely on: status, body and the headers but those that name this one exchange.
function assertReplayOf(first, again) {
  assert.equal(again.status, first.status, again.text);
  assert.ok(again.bytes.equals(first.bytes), `${first.text}\nis not\n${again.text}`);
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.equal(first.headers["idempotency-replayed"], undefined);
  assert.notEqual(again.headers["x-request-id"], first.headers["x-request-id"]);
  const stable = ({ date, connection, "x-request-id": id, "idempotency-replayed": replayed, ...headers }) => headers;
  assert.deepEqual(stable(again.headers), stable(first.headers));
}

// A user with a link at a provider whose validation waits, and the template that needs it.
async function held(provider) {
  const user = await world.createUser();
  await world.link(user, provider);
  return { user, template: await world.createTemplate([provider]) };
}

// As if `gate_timeout` and a minute had passed.
const passTime = (user) => world.sql("UPDATE idempotency_keys SET held_until = now() - interval '1 second' WHERE user_id = $1 AND held_until IS NOT NULL", [user.id]);

// ---------------------------------------------------------------------------------------------------- the same again

for (const [name, path] of [["users", pathOf], ["organizations", (user) => `/api/v2/organizations/default/members/${user.username}/workspaces`]])
  test(`a create at ${name} that is sent again is answered as it was`, async () => {
    const user = await world.createUser();
    await world.link(user, "demo");
    const key = randomUUID();
    const body = { ...bodyFor(needsDemo), parameters: { "ü": ["\u{1F600}", 1.5, null] } };
    const first = await post(path(user), user.token, key, body);
    assert.equal(first.status, 201, first.text);
    assert.equal(first.headers.location, `/api/v2/workspaces/${first.body.id}`);
    const before = await world.countRows();
    const asked = await demo.asked("demo", "validate");
    for (const service of [world.service, second, world.service])
      assertReplayOf(first, await post(path(user), user.token, key, body, { service }));
    assert.deepEqual(await world.countRows(), before, "a replay writes nothing");
    assert.equal(await demo.asked("demo", "validate"), asked, "a replay asks nobody");
    assert.deepEqual((await world.api("GET", first.headers.location, { token: user.token })).body, first.body);
  });

test("a workspace without a key and one with a key look alike", async () => {
  const user = await world.createUser();
  const before = Date.now();
  const plain = await create(user, undefined, bodyFor(free));
  const keyed = await create(user, "k", bodyFor(free));
  assert.deepEqual(Object.keys(keyed.body), Object.keys(plain.body));
  assert.equal(keyed.headers["idempotency-replayed"], undefined);
  for (const { body } of [plain, keyed]) {
    assert.equal(body.latest_build.created_at, body.created_at);
    assert.ok(Math.abs(Date.parse(body.created_at) - before) < 10000, body.created_at);
  }
  assert.ok(keyed.body.created_at >= plain.body.created_at);
  assert.equal((await keysOf(user)).length, 1, "no key, no row");
});

test("what happens later does not change the answer", async () => {
  const user = await world.createUser();
  await world.link(user, "demo");
  const body = bodyFor(needsDemo);
  const first = await create(user, "k", body);
  assert.equal(first.status, 201, first.text);
  await world.service.request("DELETE", "/api/v2/external-auth/demo", { token: user.token });
  assertReplayOf(first, await create(user, "k", body));
  assertError(await create(user, "l", body), 409, "name_taken", "name");
});

test("after a day a key is new", async () => {
  const user = await world.createUser();
  const first = await create(user, "k", bodyFor(free));
  await world.sql("UPDATE idempotency_keys SET expires_at = now() WHERE user_id = $1", [user.id]);
  const other = await create(user, "k", bodyFor(free));
  assert.equal(other.status, 201, other.text);
  assert.notEqual(other.body.id, first.body.id);
});

// ------------------------------------------------------------------------------------------------- another request

test("another body with the key is 422, and does nothing", async () => {
  const user = await world.createUser();
  const body = bodyFor(free);
  const first = await create(user, "k", body);
  const others = [{ ...body, name: "other" }, { ...body, parameters: {} }, bodyFor(needsDemo)];
  for (const other of others)
    assertError(await assertLeavesNothing(world, () => create(user, "k", other)), 422, "idempotency_key_reused");
  const spaced = await assertLeavesNothing(world, () => post(pathOf(user), user.token, "k", undefined, {
    raw: `${JSON.stringify(body)} `, headers: { "Content-Type": "application/json", "Idempotency-Key": "k" },
  }));
  assertError(spaced, 422, "idempotency_key_reused");
  assertReplayOf(first, await create(user, "k", body));
});

test("another path with the key is 422, be it the same owner's", async () => {
  const user = await world.createUser();
  const body = bodyFor(free);
  assert.equal((await create(user, "k", body)).status, 201);
  for (const path of ["/api/v2/users/me/workspaces", "/api/v2/organizations/default/members/me/workspaces"])
    assertError(await assertLeavesNothing(world, () => post(path, user.token, "k", body)), 422, "idempotency_key_reused");
});

test("a key belongs to its caller, not to the owner", async () => {
  const owner = await world.createUser();
  const controlPlane = await world.createUser({ roles: ["control-plane"] });
  const other = await world.createUser();
  const body = bodyFor(free);
  const first = await create(owner, "k", body);
  assert.equal(first.status, 201, first.text);
  assertError(await post(pathOf(owner), controlPlane.token, "k", body), 409, "name_taken", "name");
  const made = await create(other, "k", body);
  assert.equal(made.status, 201, made.text);
  assert.notEqual(made.body.id, first.body.id);
  assert.equal((await post(pathOf(owner), controlPlane.token, "k", bodyFor(free))).status, 201);
  assertReplayOf(first, await create(owner, "k", body));
});

test("another token of the same caller knows the key", async () => {
  const user = await world.createUser();
  const body = bodyFor(free);
  const first = await create(user, "k", body);
  assertReplayOf(first, await post(pathOf(user), await world.createToken(user), "k", body));
});

// ---------------------------------------------------------------------------------------------------- lawful keys

test("every lawful key is its own", async () => {
  const user = await world.createUser();
  const made = new Set();
  for (const key of ["a", "A", "\"a\"", "a b", "~!@#$%^&*()", "x".repeat(255)]) {
    const answer = await create(user, key, bodyFor(free));
    assert.equal(answer.status, 201, answer.text);
    made.add(answer.body.id);
  }
  assert.equal(made.size, 6);
});

for (const [what, key] of [["an empty key", ""], ["a letter beyond ASCII", "\u00fc"]])
  test(`${what} is refused by name`, async () => {
    const user = await world.createUser();
    assertError(await assertLeavesNothing(world, () => create(user, key, bodyFor(free))), 400, "validation_failed", "Idempotency-Key");
  });

for (const [what, key] of [["a key of 256 characters", "x".repeat(256)], ["two keys", ["a", "b"]]])
  test(`${what} is refused by name`, async () => {
    const user = await world.createUser();
    const refused = assertError(await assertLeavesNothing(world, () => create(user, key, bodyFor(free))), 400, "bad_request");
    assert.match(refused.message, /Idempotency-Key/);
  });

test("a wrong body and a missing right come before the key, and do not use it up", async () => {
  const user = await world.createUser();
  const other = await world.createUser();
  assertError(await create(user, "", { name: "Bad", template_id: free.id }), 400, "validation_failed", "name");
  assertError(await create(user, "k", { name: "Bad", template_id: free.id }), 400, "validation_failed", "name");
  assertError(await post(pathOf(other), user.token, "", bodyFor(free)), 404, "not_found");
  assertError(await post(pathOf(other), user.token, "k", bodyFor(free)), 404, "not_found");
  assertError(await post(pathOf(user), undefined, "k", bodyFor(free)), 401, "unauthenticated");
  assert.deepEqual(await keysOf(user), []);
  assert.equal((await create(user, "k", bodyFor(free))).status, 201);
});

// ------------------------------------------------------------------------------------------- what was not done

test("a refusal is judged anew: link, send the same again, and the workspace is there", async () => {
  const user = await world.createUser();
  const body = bodyFor(needsDemo);
  for (let i = 0; i < 2; i++)
    assertError(await assertLeavesOnlyKey(world, () => create(user, "k", body)), 403, "external_auth_required");
  assertError(await assertLeavesNothing(world, () => create(user, "k", { ...body, name: "other" })), 422, "idempotency_key_reused");
  await world.link(user, "demo");
  const made = await create(user, "k", body);
  assert.equal(made.status, 201, made.text);
  assertReplayOf(made, await create(user, "k", body));
});

test("a provider that cannot be asked does not use the key up", async () => {
  const user = await world.createUser();
  await world.link(user, "demo");
  const body = bodyFor(needsDemo);
  await demo.fault("demo", "validate", { status: 503 });
  const refused = await assertLeavesOnlyKey(world, () => create(user, "k", body));
  await demo.fault("demo", "validate", null);
  assertError(refused, 503, "external_auth_unverifiable");
  assert.equal((await create(user, "k", body)).status, 201);
});

test("a conflict and an unknown template do not use the key up, so another request may have it", async () => {
  const user = await world.createUser();
  const body = bodyFor(free);
  assert.equal((await create(user, undefined, body)).status, 201);
  assertError(await assertLeavesNothing(world, () => create(user, "k", body)), 409, "name_taken", "name");
  assertError(await assertLeavesNothing(world, () => create(user, "k", { name: "w", template_id: randomUUID() })), 404, "not_found");
  assertError(await assertLeavesNothing(world, () => create(user, "k", { ...bodyFor(free), claim_prebuild: "require" })), 409, "no_prebuild");
  assert.equal((await create(user, "k", { ...body, name: "free" })).status, 201);
});

// ------------------------------------------------------------------------------------------- while it is done

test("while the first is at it the second is told to come again, at every replica", async () => {
  const { user, template } = await held("held");
  const body = bodyFor(template);
  await demo.closeGate("held", "validate", { state: "once" });
  const creating = create(user, "k", body);
  await demo.awaitGate("held", "validate");
  for (const service of [world.service, second]) {
    const busy = await create(user, "k", body, { service });
    assertError(busy, 409, "idempotency_key_in_use");
    assert.equal(busy.headers["retry-after"], "1");
    assertError(await create(user, "k", bodyFor(free), { service }), 422, "idempotency_key_reused");
  }
  assert.deepEqual(await workspacesOf(user), []);
  await demo.openGate("held", "validate");
  const first = await creating;
  assert.equal(first.status, 201, first.text);
  assertReplayOf(first, await create(user, "k", body, { service: second }));
});

test("of twenty at once at two replicas one does it, and all learn the same in the end", async () => {
  const { user, template } = await held("raced");
  const body = bodyFor(template);
  await demo.fault("raced", "validate", { delay_ms: 200 });
  const both = [world.service, second];
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => create(user, "k", body, { service: both[i % 2] })));
  await demo.fault("raced", "validate", null);
  const first = answers.find(({ status, headers }) => status === 201 && !headers["idempotency-replayed"]);
  for (const answer of answers.filter((each) => each !== first))
    if (answer.status === 201) assertReplayOf(first, answer);
    else assertError(answer, 409, "idempotency_key_in_use");
  assert.deepEqual(await workspacesOf(user), [first.body.id]);
  for (const service of both) assertReplayOf(first, await create(user, "k", body, { service }));
});

test("a caller that leaves and asks again gets the workspace it had asked for", async () => {
  const { user, template } = await held("left");
  const body = bodyFor(template);
  await demo.closeGate("left", "validate", { state: "once" });
  const leaving = new AbortController();
  const left = create(user, "k", body, { signal: leaving.signal });
  await demo.awaitGate("left", "validate");
  leaving.abort();
  await assert.rejects(left);
  assertError(await create(user, "k", body), 409, "idempotency_key_in_use");
  await demo.openGate("left", "validate");
  const answer = await eventually("the answer is there", async () => {
    const again = await create(user, "k", body);
    return again.status === 201 && again;
  });
  assert.equal(answer.headers["idempotency-replayed"], "true");
  assert.deepEqual(await workspacesOf(user), [answer.body.id]);
});

// --------------------------------------------------------------------------------------------- who is killed

// A replica that is killed while the gate asks the provider; then the time of its hold passes.
async function killAtTheGate(provider, user, body) {
  const doomed = await world.replica();
  await demo.closeGate(provider, "validate", { state: "once" });
  const cut = create(user, "k", body, { service: doomed, unchecked: true });
  cut.catch(() => {});
  await demo.awaitGate(provider, "validate");
  await doomed.program.stop("SIGKILL");
  world.services.splice(world.services.indexOf(doomed), 1);
  await assert.rejects(cut);
  await demo.openGate(provider, "validate");
}

test("killed before the insert: the key is taken over when its hold is over", async () => {
  const { user, template } = await held("killed");
  const body = bodyFor(template);
  await killAtTheGate("killed", user, body);
  assertError(await create(user, "k", body), 409, "idempotency_key_in_use");
  const [key] = await world.sql("SELECT extract(epoch FROM held_until - now())::float AS left FROM idempotency_keys WHERE user_id = $1", [user.id]);
  assert.ok(key.left > 55 && key.left <= 70, `${key.left} s`);
  await passTime(user);
  const made = await create(user, "k", body);
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers["idempotency-replayed"], undefined);
  assert.deepEqual(await workspacesOf(user), [made.body.id]);
  assertReplayOf(made, await create(user, "k", body, { service: second }));
});

test("killed after the insert: the answer is there", async () => {
  const user = await world.createUser();
  const doomed = await world.replica();
  const body = bodyFor(free);
  const first = await create(user, "k", body, { service: doomed });
  await doomed.program.stop("SIGKILL");
  world.services.splice(world.services.indexOf(doomed), 1);
  assertReplayOf(first, await create(user, "k", body));
});

test("a run that was taken over writes nothing, and says so", async () => {
  const { user, template } = await held("over");
  const body = bodyFor(template);
  await demo.closeGate("over", "validate", { state: "once" });
  const slow = create(user, "k", body);
  await demo.awaitGate("over", "validate");
  await passTime(user);
  const made = await create(user, "k", body, { service: second });
  assert.equal(made.status, 201, made.text);
  await demo.openGate("over", "validate");
  const late = await slow;
  assert.ok(late.status === 409 && ["idempotency_key_in_use", "name_taken"].includes(late.body.code), late.text);
  assert.equal(late.headers.location, undefined);
  assert.deepEqual(await workspacesOf(user), [made.body.id]);
  assertReplayOf(made, await create(user, "k", body));
});

test("a run whose key is held by another one inserts nothing, also where nothing else stands in its way", async () => {
  const { user, template } = await held("late");
  const body = bodyFor(template);
  await demo.closeGate("late", "validate", { state: "once" });
  const slow = create(user, "k", body);
  await demo.awaitGate("late", "validate");
  await world.sql("UPDATE idempotency_keys SET holder = gen_random_uuid() WHERE user_id = $1", [user.id]);
  await demo.openGate("late", "validate");
  const answer = await slow;
  assertError(answer, 409, "idempotency_key_in_use");
  assert.equal(answer.headers["retry-after"], "1");
  assert.deepEqual(await workspacesOf(user), []);
  assert.equal((await keysOf(user)).length, 1, "the other one's hold stays");
});

test("what is kept of a key names neither it nor a token", async () => {
  const user = await world.createUser();
  const minted = await world.link(user, "demo");
  const key = `secret-looking-${randomUUID()}`;
  assert.equal((await create(user, key, bodyFor(needsDemo))).status, 201);
  const dump = await world.psqlDump();
  assert.ok(!dump.includes(key) && !dump.includes(minted.access_token));
  assert.ok(!world.service.output().includes(key));
});
