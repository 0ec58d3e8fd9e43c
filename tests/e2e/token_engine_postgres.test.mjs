// SPDX-License-Identifier: Apache-2.0
// kill -9 of PostgreSQL around an exchange: the token that the provider has issued meanwhile is saved after the recovery,
// and a store that is away before the lease is found out before a token is spent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineWorld, POINTS } from "../support/engine.mjs";

const world = await EngineWorld.open({ ids: ["crash", "gone", "refused", "after", "long", "just"], settings: { REFRESH_COOLDOWN: "60s" } });
const { demo, cluster } = world;
await world.replica();
const OUTAGE = [null, "database_unavailable"];

async function recover() {
  await cluster.resume();
  for (const service of world.services) await service.isReady();
}

test("kill -9 of PostgreSQL while the provider holds the answer", async (t) => {
  for (const [name, { moment, fault }] of Object.entries(POINTS).filter(([, point]) => point.fault === null))
    await t.test(name, async () => {
      const { link, asking, waiting, before } = await world.bothAsk("crash", { moment, fault });
      await cluster.crash();
      await world.settled("crash");
      await cluster.resume();
      assert.equal(await asking, "valid", "saved when the database was back, and the caller is served");
      await waiting;
      await world.agree(link, "valid");
      assert.equal(await world.answered("crash") - before, 1, "one exchange, and its token is there");
      assert.equal((await world.row(link)).generation, 2);
    });
  await world.assertNeverTwice("crash");
});

for (const [id, when, end] of [
  ["long", "before PostgreSQL is there again", "pg_postmaster_start_time() - interval '1 second'"],
  ["just", "just after PostgreSQL is there again", "clock_timestamp() + interval '200 milliseconds'"],
]) test(`a lease that runs out ${when} takes no token from who holds it`, async () => {
  const [holder, other] = world.services;
  const { link, asking, waiting, before } = await world.bothAsk(id, { moment: "after" });
  await cluster.crash();
  await world.settled(id);
  await world.freeze(holder); // the others come first
  await cluster.resume();
  await world.sql(`UPDATE links SET lease_until = ${end} WHERE owner_id = $1`, [link.user.id]);
  await other.isReady();
  const early = world.reason(link, other);
  await sleep(500);
  holder.program.child.kill("SIGCONT");
  assert.equal(await early, "valid");
  assert.equal(await asking, "valid");
  await waiting;
  await world.agree(link, "valid");
  assert.equal(await world.answered(id) - before, 1);
  await world.assertNeverTwice(id);
});

test("PostgreSQL that went before the lease is found out before the token is spent", async () => {
  const link = await world.expired("gone");
  await cluster.crash();
  const answers = await Promise.all(world.services.map((service) => world.createWorkspace(link.user, link.template, { service })));
  for (const { status, text } of answers) assert.equal(status, 503, text);
  assert.equal(await demo.asked("gone", "token"), 0);
  await recover();
  await world.agree(link, "valid");
  assert.equal(await demo.asked("gone", "token"), 1);
});

test("kill -9 of PostgreSQL and of the process at once: the journal survives", async () => {
  const doomed = await world.replica();
  const { link, asking } = await world.bothAsk("after", { moment: "after", service: doomed, waiter: world.service });
  await Promise.all([cluster.crash(), world.lose(doomed)]);
  assert.equal(await asking, null);
  await world.settled("after");
  await recover();
  assert.equal((await world.row(link)).unresolved, 1);
  await world.sql("UPDATE links SET lease_until = clock_timestamp() WHERE owner_id = $1", [link.user.id]); // no waiting for it
  await world.agree(link, "rotation_lost");
  assert.equal(await world.answered("after"), 2);
});
