// SPDX-License-Identifier: Apache-2.0
// A storm of refusals while the decision log cannot be written: the gate answers as fast as ever, what does not fit is
// counted, what was taken is written when the log is free again, and asked = written + counted to the last one.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { eventually } from "../support/process.mjs";
import { isSanitized } from "../support/serve.mjs";
import { metricValue } from "../support/service.mjs";
import { World } from "../support/world.mjs";

const CLIENTS = 50;
const ASKED = 10000; // more than the queue holds
const world = await World.open({ providers: (demo) => [demo.configure("one")], settings: { DECISION_RATE_MAX: "1000000" } });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const owner = await world.createUser();
const template = await world.createTemplate(["one"]);
const about = { owner: owner.username, template_version_id: template.active_version_id };
const dropped = async () => metricValue(await world.service.metrics(), "gatehouse_decision_log_dropped_total");
const resident = async () => metricValue(await world.service.metrics(), "process_resident_memory_bytes");
const written = async () => (await world.sql("SELECT count(*)::int AS n FROM decisions"))[0].n;

async function lockLog() {
  const client = new pg.Client({ host: world.cluster.socketDirectory, user: "postgres", database: world.database });
  await client.connect();
  await client.query("BEGIN; LOCK TABLE decisions IN EXCLUSIVE MODE");
  return () => client.query("COMMIT").finally(() => client.end());
}

test("refusals that nobody can write down neither slow the gate nor get lost uncounted", { timeout: 120000 }, async (t) => {
  const before = await resident();
  const unlock = await lockLog();
  const times = [];
  let left = ASKED;
  const client = async () => {
    while (left-- > 0) {
      const [path, body] = left % 2 === 0 ? ["/gate/v1/check", about] : ["/gate/v1/data", { input: about }];
      const begun = performance.now();
      const { status, text } = await world.api("POST", path, { token: controlPlane.token, body, unchecked: true });
      times.push(performance.now() - begun);
      assert.equal(status, 200, text);
      assert.match(text, /external_auth_required/);
    }
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, client));
    times.sort((a, b) => a - b);
    t.diagnostic(`p50 ${times[ASKED >> 1].toFixed(1)} ms, p99 ${times[Math.floor(ASKED * 0.99)].toFixed(1)} ms, ${await dropped()} dropped`);
    assert.ok(times[Math.floor(ASKED * 0.99)] < 1000, "the gate is held up");
    assert.ok(await dropped() > 0, "the queue has an end");
    // A sanitizer keeps what was freed for a while: 256 MiB of it, and what it notes beside.
    assert.ok(await resident() - before < (isSanitized() ? 1000e6 : 150e6), "memory has an end");
  } finally {
    await unlock();
  }
  await eventually("what was taken is written", async () => await written() + await dropped() === ASKED, 60000);
  const again = await world.api("POST", "/gate/v1/check", { token: controlPlane.token, body: about });
  await eventually("the log goes on", async () => (await world.sql("SELECT FROM decisions WHERE id = $1", [again.body.decision_id])).length === 1, 20000);
  assert.equal(world.service.logLines().filter(({ level }) => level === "error").length, 0);
  const said = world.service.logLines().filter(({ message }) => /decisions come faster/.test(message));
  assert.equal(said.length, 1, "said once, not with each");
});
