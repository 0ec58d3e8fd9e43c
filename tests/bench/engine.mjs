// SPDX-License-Identifier: Apache-2.0
// How long refreshes keep callers waiting, and what a dead provider costs those who do not need it. Each measurement says
// what it saw; who calls it judges.
import assert from "node:assert/strict";
import { eventually } from "../support/process.mjs";
import { forEach, ownerName, userName } from "./stage.mjs";
import { wrkOn } from "./wrk.mjs";

// The service's own default of GATEHOUSE_REFRESH_FLIGHTS.
export const FLIGHTS = 64;

// How many creates a black hole holds, and for how long a load runs beside them: the service gives up the first ones after
// 5 s (PROVIDER_REQUEST_MS), and with five of them the rest.
export const HELD = 200;
const HELD_S = 2;

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

// The time in which `work` was done, whose refreshes may be `exchanges` requests of the token endpoint and no more.
async function refreshing(stage, exchanges, work) {
  const before = await stage.provider.asked("expired", "token");
  const took = await timed(work);
  assert.equal((await stage.provider.asked("expired", "token")) - before, exchanges, "requests of the token endpoint");
  return took;
}

// The token endpoint waits so long before it does anything.
export const slowToken = (stage, delay_ms) => stage.provider.fault("expired", "token", { delay_ms });

// ms until `callers` creates of one owner, whose link is expired, all have 201.
export async function oneLink(stage, callers, round) {
  await stage.service.linkExpired(ownerName(1), "expired");
  const names = Array.from({ length: callers }, (_, index) => `one-${round}-${index}`);
  return refreshing(stage, 1, () => Promise.all(names.map((name) => stage.service.create(ownerName(1), "expired", name))));
}

// ms until a create of each of `count` owners, whose links are expired, has 201.
export async function manyLinks(stage, count, round) {
  await forEach(count, (number) => stage.service.linkExpired(userName(number), "expired"));
  const owners = Array.from({ length: count }, (_, index) => userName(index + 1));
  return refreshing(stage, count, () => Promise.all(owners.map((owner) => stage.service.create(owner, "expired", `many-${round}`))));
}

// What `measure` measures while HELD creates wait for `hole`, which never answers. The creates are answered 503 in the end:
// no answer of their provider is known.
async function besideHole(stage, hole, measure) {
  await stage.provider.fault(hole, "validate", { black_hole: true });
  const held = Promise.all(Array.from({ length: HELD }, (_, index) => stage.service.tryCreate(ownerName(index + 1), hole, hole)));
  await eventually(`${HELD} creates wait`, async () => (await stage.service.inFlight()) >= HELD);
  const measured = await measure();
  assert.ok((await stage.service.inFlight()) >= HELD, "the creates waited as long as the load lasted");
  await stage.provider.openGate(hole, "validate");
  const statuses = (await held).map(({ status }) => status);
  assert.deepEqual(new Set(statuses), new Set([503]), "creates that need the black hole");
  return measured;
}

// The same load without and with a black hole, one round for each of `names`.
export async function holes(stage, names, { load, connections, seconds }) {
  const duration = Math.min(seconds, HELD_S);
  const run = async () => {
    const measured = await wrkOn(stage.service.program, stage.service.url, connections, load, duration);
    assert.equal(measured.refused, 0, "creates that do not need the black hole");
    return measured;
  };
  const rounds = [];
  for (const hole of names) {
    await forEach(HELD, (number) => stage.service.link(ownerName(number), hole));
    rounds.push({ without: await run(), beside: await besideHole(stage, hole, run) });
  }
  return rounds;
}
