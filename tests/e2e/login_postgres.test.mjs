// SPDX-License-Identifier: Apache-2.0
// kill -9 of PostgreSQL while a device code is redeemed or a refresh token changed: before anything is consumed, between
// the code and its tokens, behind both, and whenever it falls. The code is redeemable afterwards or was redeemed once.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { decide, logIn, poll, refresh, startDevice } from "../support/login.mjs";
import { Cluster } from "../support/postgres.mjs";
import { eventually } from "../support/process.mjs";
import { Wire } from "../support/wire.mjs";
import { World } from "../support/world.mjs";

const ROUNDS = 8;
const POLLERS = 6;

const cluster = await Cluster.start();
// What is answered is on the disk: the test kills PostgreSQL and not the machine.
await cluster.query("postgres", "ALTER ROLE postgres SET synchronous_commit = on");
const world = await World.create({ cluster });
after(() => world.close());
const alice = await world.createUser();
const families = async () => Number((await world.sql("SELECT count(*) AS n FROM token_families"))[0].n);
const whoAmI = (token) => world.api("GET", "/api/v2/users/me", { token });
const pairOf = ({ body }) => `${body.access_token} ${body.refresh_token}`;

async function approved() {
  const codes = await startDevice(world);
  await decide(world, codes, alice);
  return codes;
}

async function crashAndRecover() {
  await cluster.crash();
  await cluster.resume();
  await world.service.isReady();
}

// Holds what `statement` locks until the server is gone.
async function holdBack(statement) {
  const holder = new pg.Client({ host: cluster.socketDirectory, user: "postgres", database: world.database });
  holder.on("error", () => {});
  await holder.connect();
  await holder.query("BEGIN");
  await holder.query(statement);
}

const someoneWaits = () => eventually("a statement waits for the lock", async () =>
  (await world.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length > 0);

// The code gives one pair now, which is good, and gives the same once more.
async function assertRedeemedOnce(codes, before) {
  const answer = await poll(world, codes);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(await families(), before + 1);
  assert.equal(pairOf(await poll(world, codes)), pairOf(answer));
  assert.equal((await whoAmI(answer.body.access_token)).status, 200);
  return answer;
}

for (const [moment, statement] of [
  ["nothing is consumed", `SELECT FROM users WHERE id = '${alice.id}' FOR UPDATE`],
  ["the code is consumed and its tokens are not made", "LOCK TABLE token_families IN SHARE MODE"],
  ["the family is made and its access token is not", "LOCK TABLE api_tokens IN SHARE MODE"],
])
  test(`T6 kill -9 of PostgreSQL when ${moment}: the code stays redeemable`, async () => {
    const codes = await approved();
    const before = await families();
    await holdBack(statement);
    const asked = poll(world, codes);
    await someoneWaits();
    await Promise.all([crashAndRecover(), asked.then(({ status, body }) =>
      assert.deepEqual([status, body.error], [503, "temporarily_unavailable"]))]);
    assert.equal(await families(), before);
    await assertRedeemedOnce(codes, before);
  });

test("T6 T8 kill -9 of PostgreSQL when the answer of a redemption is lost: the same pair once more", async () => {
  const wire = await Wire.open(cluster);
  const { database } = world;
  const through = await world.replica({ settings: { PG_CONNECTION_URL: wire.url(database), PG_PREPARE: "off" } });
  const codes = await approved();
  const before = await families();
  const lost = wire.lose("answer", /UPDATE device_grants[^]*'consumed'/);
  const asked = poll(world, codes, { service: through });
  await lost;
  assert.equal(await families(), before + 1, "it was carried out");
  await crashAndRecover();
  // Asked again by the service itself, or told 503.
  const { status, body } = await asked;
  assert.ok(status === 200 || status === 503, `${status}`);
  const answer = await assertRedeemedOnce(codes, before);
  if (status === 200) assert.equal(body.refresh_token, answer.body.refresh_token);
});

test(`T5 T6 R7 whenever PostgreSQL is killed, ${ROUNDS} times: one pair a code, one successor a refresh token`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const codes = await approved();
    const { refresh_token } = await logIn(world, alice);
    const before = await families();
    const asked = Promise.all(Array.from({ length: POLLERS }, (_, i) => sleep((i * round) % 5).then(() => poll(world, codes))));
    const renewed = Promise.all(Array.from({ length: POLLERS }, (_, i) => sleep((i * round) % 5).then(() => refresh(world, refresh_token))));
    await sleep(round % 6);
    await crashAndRecover();
    const told = (answers) => {
      for (const { status, text } of answers) assert.ok(status === 200 || status === 503, text);
      return answers.filter(({ status }) => status === 200).map(pairOf);
    };
    const pairs = new Set([...told(await asked), pairOf(await assertRedeemedOnce(codes, before))]);
    assert.equal(pairs.size, 1, "nobody was given another pair");
    const last = await refresh(world, refresh_token);
    assert.equal(last.status, 200, last.text);
    assert.equal(new Set([...told(await renewed), pairOf(last)]).size, 1, "nobody was given another successor");
    assert.equal((await refresh(world, last.body.refresh_token)).status, 200);
  }
});
