// SPDX-License-Identifier: Apache-2.0
// Exchanges whose outcome nobody learns, with a second process waiting on the same link: a process that is killed or stands
// still, a lease that is too short, a connection that is cut. The provider's gate says where the exchange stands. A request of a process that died is still carried out when the gate opens, unless a fault stands behind it.
// What may come of it: healed, or rotation_lost where the provider has rotated and nobody learnt to what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineWorld, POINTS } from "../support/engine.mjs";

const LEASE_MS = 1500;
const world = await EngineWorld.open({
  ids: ["killed", "again", "keeps", "cut", "slow", "frozen"],
  settings: { REFRESH_LEASE: `${LEASE_MS}ms`, REFRESH_COOLDOWN: "60s" },
});
const { demo } = world;
await world.replica();

test("kill -9 of the process that exchanges", async (t) => {
  for (const [name, { moment, fault, healed }] of Object.entries(POINTS))
    await t.test(name, async () => {
      const doomed = await world.replica();
      const { link, asking, waiting, before } = await world.bothAsk("killed", { moment, fault, service: doomed });
      await world.lose(doomed);
      assert.equal(await asking, null);
      await demo.openGate("killed", "token");
      const expected = healed ? "valid" : "rotation_lost";
      assert.equal(await waiting, expected, "who waited took over when the lease had run out");
      await world.agree(link, expected);
      assert.equal(await world.answered("killed") - before, 2, "once more, and never again");
    });
  const { refreshes_overlapping } = await demo.counters("killed");
  assert.equal(refreshes_overlapping, 0);
});

test("kill -9, and a provider that keeps its refresh tokens: healed wherever it was", async (t) => {
  await demo.set("keeps", { rotate: false });
  for (const [name, { moment, fault }] of Object.entries(POINTS))
    await t.test(name, async () => {
      const doomed = await world.replica();
      const { link, waiting } = await world.bothAsk("keeps", { moment, fault, service: doomed });
      await world.lose(doomed);
      await demo.openGate("keeps", "token");
      assert.equal(await waiting, "valid");
      await world.agree(link, "valid");
    });
});

test("kill -9 of the process that tries once more, too, is never a rejection of the owner", async () => {
  const [first, second] = [await world.replica(), await world.replica()];
  const { link, waiting } = await world.bothAsk("again", { moment: "after", service: first, waiter: second });
  await demo.closeGate("again", "token", { state: "closed", moment: "after" });
  await world.lose(first);
  await demo.awaitGate("again", "token", 2); // the second process has taken over
  await world.lose(second);
  assert.equal(await waiting, null);
  await demo.openGate("again", "token");
  assert.equal((await world.row(link)).unresolved, 2, "both are journalled");
  await world.agree(link, "provider_unavailable");
  assert.equal(await world.answered("again"), 2, "once more, and then nobody before the cool-down");
  await world.thaw(link);
  await world.agree(link, "rotation_lost");
  assert.equal(await world.answered("again"), 3);
});

// cut, whether the provider acted, whether it rotates, how often it cuts; what the first evaluation says, what is said
// after the cool-down, and how many requests that took.
const CUTS = ["before_headers", "mid_body"].flatMap((cut) => [
  [{ cut, commit: "no", times: 1 }, true, "valid", "valid", 2],
  [{ cut, commit: "yes", times: 1 }, true, "rotation_lost", "rotation_lost", 2],
  [{ cut, commit: "yes", times: 1 }, false, "valid", "valid", 2],
  [{ cut, commit: "no", times: 2 }, true, "provider_unavailable", "valid", 3],
  [{ cut, commit: "yes", times: 2 }, true, "provider_unavailable", "rotation_lost", 3],
  [{ cut, commit: "yes", times: 2 }, false, "provider_unavailable", "valid", 3],
]);

test("a connection that is cut", async (t) => {
  for (const [fault, rotate, first, last, requests] of CUTS)
    await t.test(`${fault.cut} ×${fault.times}, commit ${fault.commit}, rotate ${rotate} → ${first}, ${last}`, async () => {
      const link = await world.expired("cut");
      await demo.set("cut", { rotate, faults: { token: fault } });
      const before = await world.answered("cut");
      await world.agree(link, first);
      assert.equal(await world.answered("cut") - before, 2, "once more, and then nobody before the cool-down");
      await world.thaw(link);
      await world.agree(link, last);
      assert.equal(await world.answered("cut") - before, requests);
    });
});

test("a lease that is shorter than the provider is slow", async (t) => {
  for (const [name, { moment, fault, healed }] of Object.entries(POINTS))
    await t.test(name, async () => {
      const { link, asking, waiting, before } = await world.bothAsk("slow", { moment, fault, });
      // Nobody opens the gate: the exchange is given up in time to note it before the lease ends.
      assert.equal(await asking, "provider_unavailable");
      assert.equal(await waiting, "provider_unavailable", "who waited learns the same");
      assert.equal((await world.row(link)).unresolved, 1);
      await world.agree(link, "provider_unavailable");
      await world.settled("slow");
      assert.equal(await world.answered("slow") - before, 1, "nobody asks again before the cool-down");
      await world.thaw(link);
      await world.agree(link, healed ? "valid" : "rotation_lost");
      assert.equal(await world.answered("slow") - before, 2);
    });
  const { refreshes_overlapping } = await demo.counters("slow");
  assert.equal(refreshes_overlapping, 0);
});

test("a process that stands still while its lease runs out never overwrites", async (t) => {
  for (const rotate of [true, false])
    await t.test(`the provider ${rotate ? "rotates" : "keeps refresh tokens"}`, async (t) => {
      await demo.set("frozen", { rotate });
      const sleeper = await world.replica();
      const { link, asking, waiting, before } = await world.bothAsk("frozen", { moment: "after", service: sleeper, waiter: world.service });
      await world.freeze(sleeper);
      t.after(() => sleeper.program.child.kill("SIGCONT"));
      await world.settled("frozen");
      const expected = rotate ? "rotation_lost" : "valid";
      assert.equal(await waiting, expected);
      const row = await world.row(link);
      sleeper.program.child.kill("SIGCONT");
      assert.equal(await asking, expected, "it adopts what has become of the link");
      await world.agree(link, expected);
      const now = await world.row(link);
      assert.deepEqual([now.generation, now.lease_id, now.access_token], [row.generation, row.lease_id, row.access_token]);
      assert.equal(await world.answered("frozen") - before, 2);
    });
});
