// SPDX-License-Identifier: Apache-2.0
// `gatehouse keys rotate` meets an exchange, a re-link or an unlink in flight. The exchange stands at the provider's gate
// while every row is sealed anew; or the rotation stands in the database, between reading a row and locking it, or with the
// row locked, while the others go on. What the owner or the provider did last is what stays, readable, under a given key.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import { Browser } from "../support/browser.mjs";
import { EngineWorld, EXPIRED, POINTS } from "../support/engine.mjs";
import { eventually } from "../support/process.mjs";
import { newKey, runGatehouse } from "../support/service.mjs";

const VARIABLE = "EXTERNAL_TOKEN_ENCRYPTION_KEYS";
const idOf = (key) => createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 8);
const [A, B] = [newKey(), newKey()];
const LISTS = { "the old key": [A, B], "the new key": [B, A] };

const world = await EngineWorld.open({ ids: ["flight", "lacks", "moved", "browser"], settings: { [VARIABLE]: `${A},${B}`, REFRESH_COOLDOWN: "60s" } });
const { demo, service: oldFirst } = world;
const newFirst = await world.replica({ settings: { [VARIABLE]: `${B},${A}` } });
const SERVICES = { "the old key": oldFirst, "the new key": newFirst };

const runRotate = (keys, name = "rotating") => runGatehouse(["keys", "rotate", "--json"], {
  GATEHOUSE_PG_CONNECTION_URL: `${world.cluster.url(world.database)}&application_name=${name}`, [`GATEHOUSE_${VARIABLE}`]: keys.join(","),
});
async function succeeded(running) {
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, `${stdout}${stderr}`);
  const outcome = JSON.parse(stdout);
  assert.deepEqual([outcome.left, outcome.unreadable], [0, 0]);
  return outcome;
}
const rotate = (keys) => succeeded(runRotate(keys));

// The row is sealed with one of `keys` and was written as often as that; every replica can read it.
async function assertStored(link, keys, generation) {
  const row = await world.row(link);
  assert.ok(keys.map(idOf).includes(row.key_id), row.key_id);
  assert.equal(row.generation, generation);
  await world.agree(link, "valid");
}
// The stored refresh token is the newest one: it is spent once more.
async function assertSpendable(link, service) {
  const { generation } = await world.row(link);
  await world.expire(link);
  assert.equal(await world.reason(link, service), "valid");
  assert.equal((await world.row(link)).generation, generation + 1);
  await world.assertNeverTwice(link.provider);
}

// ------------------------------------------------------------------------------------ the exchange stands at the provider

for (const [to, keys] of Object.entries(LISTS))
  for (const [by, service] of Object.entries(SERVICES))
    test(`all rows are rotated to ${to} while a service that seals with ${by} has an exchange in hand`, async (t) => {
      const mine = LISTS[by][0];
      const other = service === oldFirst ? newFirst : oldFirst;
      for (const [name, { moment, fault }] of Object.entries(POINTS))
        await t.test(name, async () => {
          await demo.reset("flight");
          const { link, asking, waiting, before } = await world.bothAsk("flight", { moment, fault, service, waiter: other });
          await rotate([...keys].reverse());
          const leased = await world.row(link);
          assert.equal((await rotate(keys)).links, (await world.sql("SELECT FROM links WHERE access_token IS NOT NULL")).length);
          const held = await world.row(link);
          assert.equal(held.key_id, idOf(keys[0]), "it was sealed anew under the exchange");
          for (const column of ["generation", "lease_id", "unresolved"]) assert.equal(held[column], leased[column], column);
          assert.deepEqual(held.lease_until, leased.lease_until);

          await world.settled("flight");
          assert.deepEqual([await asking, await waiting], ["valid", "valid"]);
          assert.equal(await world.answered("flight") - before, fault ? 2 : 1);
          await assertStored(link, [mine], 2);
          assert.equal((await rotate(keys)).links, mine === keys[0] ? 0 : 1, "what the exchange wrote is moved by the next one");
          await assertStored(link, [keys[0]], 2);
          await assertSpendable(link, other);
        });
    });

test("an exchange of a service that lacks the new key is saved, and the next rotation moves it", async (t) => {
  for (const [name, { moment, fault }] of Object.entries(POINTS))
    await t.test(name, async () => {
      await demo.reset("lacks");
      await rotate([A, B]);
      const lacking = await world.replica({ settings: { [VARIABLE]: A } });
      const { link, asking, waiting } = await world.bothAsk("lacks", { moment, fault, service: lacking, waiter: newFirst });
      await rotate([B, A]);
      await world.settled("lacks");
      // A second try reads the row again, which this service then cannot open.
      const said = await asking;
      assert.ok(["valid", ...(fault ? ["decryption_failed", "provider_unavailable"] : [])].includes(said), said);
      assert.equal(await waiting, "valid");
      await world.lose(lacking, "SIGTERM");
      await world.agree(link, "valid");
      await rotate([B, A]);
      await assertStored(link, [B], 2);
      await assertSpendable(link, oldFirst);
    });
});

// ------------------------------------------------------------------------------------ the rotation stands in the database

// A rotation stands still where its application_name says, as long as the test holds the lock: before the statement that
// writes has locked anything, its snapshot already taken, or with its rows locked and written.
await world.sql(`CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('application_name') = TG_ARGV[0] THEN PERFORM pg_advisory_xact_lock(7); END IF;
  RETURN NULL; END $$`);
await world.sql("CREATE TRIGGER stand_before BEFORE UPDATE ON links FOR EACH STATEMENT EXECUTE FUNCTION stand_still('has_read')");
await world.sql("CREATE TRIGGER stand_after AFTER UPDATE ON links FOR EACH STATEMENT EXECUTE FUNCTION stand_still('has_written')");
const barrier = new pg.Client({ host: world.cluster.socketDirectory, user: "postgres", database: world.database });
await barrier.connect();
barrier.on("error", () => {}); // the cluster goes with the file
after(() => barrier.end().catch(() => {}));

const waitingFor = (what, condition, name) => eventually(what, async () =>
  (await world.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND ${condition}`, name)).length > 0, 10000, 5);

// Runs `act` while a rotation to the new key stands at `point`. Where the row is locked, `act` must be seen to wait for it.
async function whileStanding(point, act) {
  await barrier.query("SELECT pg_advisory_lock(7)");
  const rotating = succeeded(runRotate([B, A], point));
  rotating.catch(() => {});
  try {
    await waitingFor("the rotation stands there", "wait_event = 'advisory' AND application_name = $1", [point]);
    const acting = act();
    if (point === "has_read") await acting;
    else await waitingFor("somebody waits for its row", "wait_event <> 'advisory' AND application_name = 'gatehouse'");
    await barrier.query("SELECT pg_advisory_unlock(7)");
    return [await rotating, await acting][1];
  } finally {
    await barrier.query("SELECT pg_advisory_unlock_all()");
  }
}

const HOLDS = { "it has read the row and not locked it": "has_read", "it has written the row and not committed": "has_written" };
const eachHold = async (t, run) => {
  await demo.reset("moved");
  for (const [name, point] of Object.entries(HOLDS))
    await t.test(name, async () => {
      await rotate([A, B]);
      await run(point);
      await world.assertNeverTwice("moved");
    });
};

// A rotation that had read what was there before meets the row again in its next pass. What comes behind one that was first
// has the key of whoever wrote it, unless that pass comes later still.
const keysAfter = (point, mine) => (point === "has_read" ? [B] : [B, mine]);

for (const [by, service] of Object.entries(SERVICES)) {
  test(`an exchange is saved by a service that seals with ${by}`, (t) => eachHold(t, async (point) => {
    const link = await world.expired("moved");
    const { asking } = await world.held(link, { moment: "after", service });
    await whileStanding(point, async () => {
      await world.settled("moved");
      assert.equal(await asking, "valid");
    });
    await assertStored(link, keysAfter(point, LISTS[by][0]), 2);
    await rotate([B, A]);
    await assertStored(link, [B], 2);
    await assertSpendable(link, newFirst);
  }));

  test(`a link is made again by a service that seals with ${by}`, (t) => eachHold(t, async (point) => {
    const link = await world.expired("moved");
    const minted = await demo.mint("moved", { login: link.user.username });
    const { access_token, refresh_token } = minted;
    await whileStanding(point, async () => {
      const body = { access_token, refresh_token };
      const answer = await service.request("PUT", `/api/v2/users/${link.user.id}/external-auth/moved`, { token: world.service.adminToken, body });
      assert.equal(answer.status, 204, answer.text);
    });
    await assertStored(link, keysAfter(point, LISTS[by][0]), 2);
    await world.assertJudged(link, minted);
    await rotate([B, A]);
    await assertStored(link, [B], 2);
    await world.assertJudged(link, minted);
    await assertSpendable(link, newFirst);
  }));

  test(`a link is removed by a service that seals with ${by}`, (t) => eachHold(t, async (point) => {
    const link = await world.expired("moved");
    await whileStanding(point, async () => {
      const answer = await service.request("DELETE", "/api/v2/external-auth/moved", { token: link.user.token });
      assert.equal(answer.status, 200, answer.text);
    });
    const { access_token, refresh_token, extras, key_id, generation } = await world.row(link);
    assert.deepEqual([access_token, refresh_token, extras, key_id, generation], [null, null, null, null, 2]);
    await world.agree(link, "not_linked");
  }));
}

test("a re-link and an unlink while an exchange stands at the provider and all rows are rotated", async (t) => {
  await demo.reset("moved");
  for (const [name, { moment, fault }] of Object.entries(POINTS))
    await t.test(name, async () => {
      await rotate([A, B]);
      const removed = await world.bothAsk("moved", { moment, fault });
      await rotate([B, A]);
      assert.equal((await newFirst.request("DELETE", "/api/v2/external-auth/moved", { token: removed.link.user.token })).status, 200);
      await rotate([A, B]);
      const minted = await world.link(removed.link.user, "moved", { withRefreshToken: true, expires_at: EXPIRED });
      await rotate([B, A]);
      await world.settled("moved");
      assert.ok(["valid", "not_linked"].includes(await removed.asking));
      await removed.waiting;
      await world.agree(removed.link, "valid");
      assert.equal((await demo.secrets()).find(({ value }) => value === minted.refresh_token).live, false, "the new link's own refresh token was spent");
      await assertSpendable(removed.link, newFirst);
      await rotate([B, A]);
      assert.equal((await world.row(removed.link)).key_id, idOf(B));
    });
});

test("a browser that stands at the provider comes back after its state was rotated", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["browser"]);
  await rotate([A, B]);
  await demo.closeGate("browser", "authorize", { state: "once" });
  const linking = world.linkThroughBrowser(user, "browser", { browser: new Browser() });
  await demo.awaitGate("browser", "authorize");
  assert.equal((await rotate([B, A])).states, 1);
  await demo.openGate("browser", "authorize");
  await linking;
  assert.equal((await world.row({ user, provider: "browser" })).key_id, idOf(A), "sealed by the service the browser came back to");
  await rotate([B, A]);
  await world.agree({ user, template, provider: "browser" }, "valid");
});
