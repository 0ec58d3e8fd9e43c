// SPDX-License-Identifier: Apache-2.0
// One exchange in flight, everywhere: many processes on one database, many callers at each, and a provider that revokes
// everything as soon as one refresh token comes twice. One link goes through all rounds, so a token that is lost in one
// of them is missed in the next. GATEHOUSE_ROUNDS sets how many there are.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { count, EngineWorld } from "../support/engine.mjs";
import { Pgbouncer } from "../support/pgbouncer.mjs";
import { temporaryDirectory } from "../support/serve.mjs";
import { metricValue, Service } from "../support/service.mjs";

const ROUNDS = count("GATEHOUSE_ROUNDS", 10);
const PROCESSES = count("GATEHOUSE_PROCESSES", 8);
const CALLERS = count("GATEHOUSE_CALLERS", 50);
// How long the provider takes: rounds differ in who comes while the exchange is under way, and who after it.
const DELAYS_MS = [0, 5, 50, 150];

const world = await EngineWorld.open({ ids: ["chain", "refused", "pooled", "wobbly"] });
const { demo } = world;
// One after the other: a start gives a database that is busy with other starts three seconds and no more.
while (world.services.length < PROCESSES) await world.replica();

// Every process gets `callers` calls at once; half of them create, half of them only ask. Gives the answers' outcomes,
// each as one word.
async function rush({ user, template }, services, callers) {
  const path = `/api/v2/templateversions/${template.active_version_id}/external-auth`;
  const create = async (service) => {
    const answer = await world.createWorkspace(user, template, { service });
    return answer.status === 201 ? "valid" : answer.body.external_auth?.[0].reason ?? answer.text;
  };
  const preflight = async (service) => {
    const answer = await service.request("GET", path, { token: user.token });
    return answer.body[0]?.reason ?? answer.text;
  };
  const calls = services.flatMap((service) => Array.from({ length: callers }, (_, i) => (i % 2 ? create : preflight)(service)));
  return Promise.all(calls);
}

const distinct = (outcomes) => [...new Set(outcomes)];

test(`${PROCESSES} processes, ${CALLERS} callers each, ${ROUNDS} rounds: one exchange a round, and one outcome`, async () => {
  const link = await world.expired("chain");
  for (let round = 1; round <= ROUNDS; round++) {
    await demo.fault("chain", "token", { delay_ms: DELAYS_MS[round % DELAYS_MS.length] });
    assert.deepEqual(distinct(await rush(link, world.services, CALLERS)), ["valid"], `round ${round}`);
    assert.equal(await demo.asked("chain", "token"), round, `exchanges after round ${round}`);
    const row = await world.row(link);
    assert.deepEqual([row.generation, row.unresolved, row.lease_until], [round + 1, 0, null], `round ${round}`);
    await world.expire(link);
  }
  await world.assertNeverTwice("chain");
  const { in_flight_max } = await demo.counters("chain");
  assert.equal(in_flight_max.token ?? in_flight_max, 1, "never two requests at the token endpoint");
  const granted = await Promise.all(world.services.map(async (service) =>
    metricValue(await service.metrics(), "gatehouse_refreshes_total", { provider: "chain", end: "granted" })));
  assert.equal(granted.reduce((sum, each) => sum + each, 0), ROUNDS, `granted by process: ${granted}`);
});

test("a refusal is one outcome too, and asked for once", async () => {
  for (let round = 1; round <= Math.ceil(ROUNDS / 5); round++) {
    const link = await world.expired("refused");
    await demo.fault("refused", "token", { delay_ms: DELAYS_MS[round % DELAYS_MS.length] });
    await demo.revoke("refused", { refresh_token: link.minted.refresh_token });
    assert.deepEqual(distinct(await rush(link, world.services, 10)), ["refresh_rejected"], `round ${round}`);
    assert.equal(await demo.asked("refused", "token"), round);
  }
});

test("answers that are lost before the provider acted: tried once more under the same lease, one outcome", async () => {
  for (let round = 1; round <= Math.ceil(ROUNDS / 5); round++) {
    const link = await world.expired("wobbly");
    await demo.fault("wobbly", "token", { cut: round % 2 ? "before_headers" : "mid_body", commit: "no", times: 1 });
    assert.deepEqual(distinct(await rush(link, world.services, 10)), ["valid"], `round ${round}`);
    assert.equal(await demo.asked("wobbly", "token"), 2 * round);
    assert.equal((await world.row(link)).generation, 2);
  }
  await world.assertNeverTwice("wobbly");
});

test("the same through pgbouncer in transaction mode, mixed with processes that connect directly", async () => {
  const bouncer = await Pgbouncer.start(world.cluster, temporaryDirectory());
  after(() => bouncer.stop());
  const settings = { PG_PREPARE: "off", PG_CONNECTION_URL: bouncer.url(world.database) };
  const pooled = await Promise.all([0, 1].map(() => world.replica({ settings })));
  const services = [...pooled, ...world.services.filter((service) => !pooled.includes(service)).slice(0, 1)];
  assert.ok(services.every((service) => service instanceof Service));
  const link = await world.expired("pooled");
  const rounds = Math.max(3, Math.ceil(ROUNDS / 4));
  for (let round = 1; round <= rounds; round++) {
    await demo.fault("pooled", "token", { delay_ms: DELAYS_MS[round % DELAYS_MS.length] });
    assert.deepEqual(distinct(await rush(link, services, CALLERS)), ["valid"], `round ${round}`);
    assert.equal(await demo.asked("pooled", "token"), round);
    assert.equal((await world.row(link)).generation, round + 1);
    await world.expire(link);
  }
  await world.assertNeverTwice("pooled");
  // They go before the pooler does.
  for (const service of pooled) await service.stop();
});
