// SPDX-License-Identifier: Apache-2.0
// A process that is cut off from the database, while others are not: around each statement of a refresh, before the server
// has seen it and after it has carried it out, and for so long that another process takes the lease over. A statement that
// is repeated because nobody heard of its outcome does nothing twice, and what comes late is dropped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineWorld } from "../support/engine.mjs";
import { eventually } from "../support/process.mjs";
import { Wire } from "../support/wire.mjs";

const LEASE_MS = 1500;
const world = await EngineWorld.open({
  ids: ["granted", "refused", "busy", "unheard", "late", "alone", "kept"],
  settings: { REFRESH_LEASE: `${LEASE_MS}ms`, REFRESH_COOLDOWN: "60s" },
});
const { demo } = world;
const wire = await Wire.open(world.cluster);
const far = await world.replica({ settings: { PG_CONNECTION_URL: wire.url(world.database), PG_PREPARE: "off" } });

const TAKE = /SET lease_id = \$4/;
const SAVE = /SET generation = l\.generation \+ 1, access_token = \$5/;
const END = /SET lease_id = NULL, lease_until = NULL, unresolved = CASE/;

// What the provider does, the statements of that way, how it ends, with how many requests, and what is journalled.
const WAYS = [
  ["granted", null, { TAKE, SAVE }, "valid", 1, 0],
  ["refused", { status: 400, body: '{"error":"invalid_grant"}', content_type: "application/json" }, { TAKE, END }, "refresh_rejected", 1, 0],
  ["busy", { status: 429, headers: { "Retry-After": "60" } }, { TAKE, END }, "provider_unavailable", null, 0],
  ["unheard", { cut: "mid_body", commit: "yes", times: 2 }, { TAKE, END }, "provider_unavailable", 2, 1],
];

test("a statement that is lost, or whose answer is", async (t) => {
  for (const [id, fault, statements, reason, requests, unresolved] of WAYS)
    for (const [name, pattern] of Object.entries(statements))
      for (const what of ["statement", "answer"])
        await t.test(`${id}: the ${what} of ${name}`, async () => {
          const link = await world.expired(id);
          await demo.fault(id, "token", fault);
          const before = await world.answered(id);
          const lost = wire.lose(what, pattern);
          const said = await world.reason(link, far);
          await lost;
          assert.equal(said, reason, "its caller sees nothing of it");
          await world.agree(link, reason);
          const asked = await world.answered(id) - before;
          if (requests !== null) assert.equal(asked, requests);
          const row = await world.row(link);
          assert.equal(row.unresolved, unresolved);
          assert.equal(row.generation, reason === "valid" ? 2 : 1);
        });
  await world.assertNeverTwice("granted");
});

// The far process has spent the token and cannot save what it got.
async function cutOff(id) {
  const link = await world.expired(id);
  const { asking } = await world.held(link, { moment: "after", service: far });
  wire.cut();
  await world.settled(id);
  await eventually("it tries to save", () => far.stderr.includes(link.user.id) && far.stderr.includes("refreshed token not saved yet"));
  return { link, asking };
}

test("a process that is cut off with a new token saves it when it is back, although its lease has run out", async () => {
  const { link, asking } = await cutOff("alone");
  await world.leaseEnds(link);
  wire.mend();
  await eventually("it is saved", async () => (await world.row(link)).generation === 2, 20000);
  await asking;
  await world.agree(link, "valid");
  assert.equal(await demo.asked("alone", "token"), 1);
  await world.assertNeverTwice("alone");
});

for (const [id, rotate, reason, generation] of [["late", true, "rotation_lost", 1], ["kept", false, "valid", 2]])
  test(`a process that comes back after another has taken over does not overwrite: ${reason}`, async () => {
    await demo.set(id, { rotate });
    const { link, asking } = await cutOff(id);
    assert.equal(await world.reason(link), reason, "the lease has run out, and one more try was made");
    const row = await world.row(link);
    wire.mend();
    await eventually("it has dropped what it had", () =>
      far.logLines().some(({ message, owner_id }) => owner_id === link.user.id && /dropped/.test(message)), 20000);
    await asking;
    await world.agree(link, reason);
    const now = await world.row(link);
    assert.deepEqual([now.generation, now.lease_id, now.access_token], [generation, row.lease_id, row.access_token]);
    assert.equal(await demo.asked(id, "token"), 2);
  });
