// SPDX-License-Identifier: Apache-2.0
// What happens to a link, to its callers and to the process while an exchange stands at each point of its way: linking
// again, unlinking, SIGTERM, callers that leave. The provider's gate enumerates the points. Nothing is lost, what the owner
// did last wins, and every replica says the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineWorld, EXPIRED, POINTS } from "../support/engine.mjs";
import { eventually } from "../support/process.mjs";

const world = await EngineWorld.open({ ids: ["relink", "stale", "unlink", "both", "cooling", "lost", "term", "leave"], settings: { REFRESH_COOLDOWN: "60s" } });
const { demo } = world;
await world.replica();

const unlink = async ({ user, provider }) => {
  const answer = await world.services[1].request("DELETE", `/api/v2/external-auth/${provider}`, { token: user.token });
  assert.equal(answer.status, 200, answer.text);
};
const relink = ({ user, provider }, options) => world.link(user, provider, { withRefreshToken: true, ...options });

const eachPoint = async (t, run) => {
  for (const [name, point] of Object.entries(POINTS)) await t.test(name, () => run(point));
};

test("a link that is made again wins over the exchange", (t) => eachPoint(t, async ({ moment, fault }) => {
  const { link, asking, waiting, before } = await world.bothAsk("relink", { moment, fault });
  const minted = await relink(link);
  await world.settled("relink");
  assert.equal(await asking, "valid");
  assert.equal(await waiting, "valid");
  await world.agree(link, "valid");
  await world.assertJudged(link, minted);
  assert.equal((await world.row(link)).generation, 2, "nothing was written over it");
  assert.ok(await world.answered("relink") - before <= (fault ? 2 : 1));
  const { refresh_token } = minted;
  assert.equal((await demo.secrets()).find(({ value }) => value === refresh_token).live, true, "and its refresh token was not touched");
}));

test("a link that is made again with a token that has run out, too, is refreshed by itself", (t) => eachPoint(t, async ({ moment, fault }) => {
  const { link, asking, waiting, before } = await world.bothAsk("stale", { moment, fault });
  const minted = await relink(link, { expires_at: EXPIRED });
  // The other process goes on with the new refresh token while the old exchange still stands there.
  assert.equal(await waiting, "valid");
  assert.equal(await world.reason(link, world.services[1]), "valid");
  await world.settled("stale");
  assert.equal(await asking, "valid");
  await world.agree(link, "valid");
  assert.equal((await world.row(link)).generation, 3);
  assert.ok(await world.answered("stale") - before <= (fault ? 3 : 2));
  assert.equal((await demo.secrets()).find(({ value }) => value === minted.refresh_token).live, false);
}));

test("a link that is removed stays removed", (t) => eachPoint(t, async ({ moment, fault }) => {
  const { link, asking, waiting } = await world.bothAsk("unlink", { moment, fault });
  await unlink(link);
  await world.settled("unlink");
  assert.equal(await asking, "not_linked");
  assert.equal(await waiting, "not_linked");
  await world.agree(link, "not_linked");
  const row = await world.row(link);
  assert.deepEqual([row.access_token, row.refresh_token, row.extras], [null, null, null]);
  const asked = await demo.asked("unlink", "token");
  await world.agree(link, "not_linked");
  assert.equal(await demo.asked("unlink", "token"), asked, "and nobody asks for it");
}));

test("removed and made again: the last one counts", (t) => eachPoint(t, async ({ moment, fault }) => {
  const { link, asking, waiting } = await world.bothAsk("both", { moment, fault });
  await unlink(link);
  const minted = await relink(link);
  await world.settled("both");
  // The one that waited may have looked between the two.
  assert.equal(await asking, "valid");
  assert.ok(["valid", "not_linked"].includes(await waiting));
  await world.agree(link, "valid");
  await world.assertJudged(link, minted);
}));

// Points without an exchange in flight: a cool-down, a loss that is remembered.
for (const [id, fault, reason] of [
  ["cooling", { cut: "mid_body", commit: "yes", times: 2 }, "provider_unavailable"],
  ["lost", { cut: "mid_body", commit: "yes", times: 1 }, "rotation_lost"],
]) {
  test(`linking again ends what a lost exchange left behind: ${reason}`, async () => {
    const link = await world.expired(id);
    await demo.fault(id, "token", fault);
    await world.agree(link, reason);
    await relink(link, { expires_at: EXPIRED });
    await world.agree(link, "valid");
    const row = await world.row(link);
    assert.deepEqual([row.unresolved, row.cooldown_until, row.remembered_reason, row.last_failure], [0, null, null, null]);
  });

  test(`unlinking ends it, too: ${reason}`, async () => {
    const link = await world.expired(id);
    await demo.fault(id, "token", fault);
    await world.agree(link, reason);
    await unlink(link);
    await world.agree(link, "not_linked");
    await relink(link, { expires_at: EXPIRED });
    await world.agree(link, "valid");
  });
}

test("SIGTERM of the process that exchanges", async (t) => {
  for (const [name, { moment, fault }] of Object.entries(POINTS))
    await t.test(name, async () => {
      const leaving = await world.replica();
      const { link, waiting, asking } = await world.bothAsk("term", { moment, fault, service: leaving, waiter: world.service });
      leaving.program.child.kill("SIGTERM");
      await eventually("it has heard", async () => leaving.stderr.includes(`"stopping"`));
      assert.equal(leaving.program.end, undefined, "it waits for the exchange");
      await demo.openGate("term", "token");
      const end = await world.lose(leaving, "SIGTERM");
      assert.equal(end.code, 0, leaving.program.story());
      // Where the provider answered 500, the leaving process lets go at once, and who asks next asks again.
      assert.ok(["valid", ...(fault ? ["provider_unavailable"] : [])].includes(await waiting));
      await asking;
      await world.agree(link, "valid");
      assert.equal((await world.row(link)).generation, 2);
    });
  await world.assertNeverTwice("term");
});

test("SIGTERM of a process that waits for another's exchange ends it at once", async () => {
  const leaving = await world.replica();
  const { link, asking, waiting, before } = await world.bothAsk("term", { moment: "after", waiter: leaving });

  leaving.program.child.kill("SIGTERM");
  const end = await world.lose(leaving, "SIGTERM");
  assert.equal(end.code, 0, leaving.program.story());
  await waiting;
  await demo.openGate("term", "token");
  assert.equal(await asking, "valid");
  await world.agree(link, "valid");
  assert.equal(await world.answered("term") - before, 1);
});

test("callers that leave", async (t) => {
  for (const [name, { moment, fault }] of Object.entries(POINTS))
    await t.test(name, async () => {
      const link = await world.expired("leave");
      await demo.fault("leave", "token", fault);
      const leaver = new AbortController();
      const { asking } = await world.held(link, { moment, signal: leaver.signal });
      leaver.abort();
      assert.equal(await asking, null);
      await world.settled("leave");
      await world.agree(link, "valid");
      assert.equal((await world.row(link)).generation, 2);
    });
  await world.assertNeverTwice("leave");
});
