// SPDX-License-Identifier: Apache-2.0
// The database goes away while a provider's device flow is under way. The cluster is this file's own, because it is
// stopped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../support/postgres.mjs";
import { eventually } from "../support/process.mjs";
import { assertError, World } from "../support/world.mjs";

const cluster = await Cluster.start();
const world = await World.open({ cluster, providers: (demo) => [demo.configure("dev", { device_flow: true, device_code_url: `${demo.base}/dev/device/code` })] });
const { demo } = world;
const path = "/api/v2/external-auth/dev/device";
const poll = (user, device_code) => world.api("POST", path, { token: user.token, body: { device_code } });

test("a token that was granted while the database is away is saved when it is back", async () => {
  const user = await world.createUser();
  const { body } = await world.api("GET", path, { token: user.token });
  await demo.decideDevice("dev", body.user_code);
  await demo.closeGate("dev", "token", { moment: "after" });
  const polling = poll(user, body.device_code);
  await demo.awaitGate("dev", "token");
  await cluster.pause();
  await demo.openGate("dev", "token");
  await sleep(2000);
  await cluster.resume();
  assert.equal((await polling).status, 204);
  const { body: { links } } = await world.api("GET", "/api/v2/external-auth", { token: user.token });
  assert.deepEqual(links.map(({ authenticated }) => authenticated), [true]);
  assert.equal((await poll(user, body.device_code)).status, 204);
});

test("without the database nobody is asked, and a code is as good as before", async () => {
  const user = await world.createUser();
  const { body } = await world.api("GET", path, { token: user.token });
  await demo.decideDevice("dev", body.user_code);
  const before = await demo.asked("dev");
  await cluster.pause();
  assertError(await poll(user, body.device_code), 503, "database_unavailable");
  assertError(await world.api("GET", path, { token: user.token }), 503, "database_unavailable");
  await cluster.resume();
  assert.equal(await demo.asked("dev"), before);
  await eventually("the database is back", async () => (await poll(user, body.device_code)).status !== 503, 15000, 250);
  assert.equal((await poll(user, body.device_code)).status, 204);
});
