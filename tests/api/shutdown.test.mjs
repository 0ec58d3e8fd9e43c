// SPDX-License-Identifier: Apache-2.0
// SIGTERM: what is in flight is answered, new work is turned away, and the process ends with 0.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventually } from "../support/process.mjs";
import { RawConnection } from "../support/http.mjs";
import { World } from "../support/world.mjs";

const worlds = [];
async function freshWorld() {
  const world = await World.create({ providers: (demo) => [demo.configure("demo"), demo.configure("basic")] });
  worlds.push(world);
  return world;
}
after(() => Promise.all(worlds.map((world) => world.close())));

test("creates that wait for a provider are answered before the end", async () => {
  const world = await freshWorld();
  const { demo, service } = world;
  // One owner each: creates of one owner share what is asked of the provider.
  const [owner, ...others] = await Promise.all(Array.from({ length: 9 }, () => world.createUser()));
  for (const one of [owner, ...others]) await world.link(one, "demo");
  const template = await world.createTemplate(["demo"]);
  await demo.closeGate("demo", "validate");
  const creating = others.map((other) => world.createWorkspace(other, template));
  const kept = await RawConnection.open(service.base);
  const body = JSON.stringify({ name: "kept", template_id: template.id });
  kept.send(`POST /api/v2/users/me/workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${owner.token}\r\n`
    + `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await demo.awaitGate("demo", "validate", 9);
  service.program.child.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(service.program.end, undefined, "it waits for what is in flight");
  await demo.openGate("demo", "validate");
  const statuses = (await Promise.all(creating)).map(({ status }) => status);
  assert.deepEqual(statuses, Array(8).fill(201));
  const [answer] = await kept.answers({ count: 1 });
  assert.equal(answer.status, 201);
  assert.match(kept.received, /\r\nConnection: close\r\n/, "who is answered now is told to come back elsewhere");
  assert.equal((await service.program.exited()).code, 0, service.program.story());
});

test("while it drains, new requests are turned away politely or not at all", async () => {
  const world = await freshWorld();
  const { demo, service } = world;
  const owner = await world.createUser();
  await world.link(owner, "demo");
  const template = await world.createTemplate(["demo"]);
  const kept = await RawConnection.open(service.base);
  const ask = `GET /api/v2/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.adminToken}\r\n\r\n`;
  kept.send(ask);
  await kept.answers({ count: 1 });
  await demo.closeGate("demo", "validate");
  const creating = world.createWorkspace(owner, template);
  await demo.awaitGate("demo", "validate");
  service.program.child.kill("SIGTERM");
  const turnedAway = await eventually("new work is turned away", async () => {
    try {
      const answer = await world.api("GET", "/api/v2/users/me", { token: service.adminToken });
      return answer.status === 503 && answer;
    } catch (error) {
      return ["ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(error.code) && "refused";
    }
  });
  if (turnedAway !== "refused") assert.equal(turnedAway.body.code, "draining");
  const ready = await world.api("GET", "/readyz", { admin: true }).catch(() => null);
  if (ready) assert.equal(ready.status, 503);
  await demo.openGate("demo", "validate");
  assert.equal((await creating).status, 201);
  assert.equal((await service.program.exited()).code, 0, service.program.story());
});

test("idle, it ends soon; a kept connection does not hold it", async () => {
  const world = await freshWorld();
  const connection = await RawConnection.open(world.service.base);
  connection.send(`GET /api/v2/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.service.adminToken}\r\n\r\n`);
  await connection.answers({ count: 1 });
  const begun = Date.now();
  await world.service.stop();
  const took = Date.now() - begun;
  assert.ok(took < 8000, `${took} ms`);
});

test("a second start finds everything again", async () => {
  const world = await freshWorld();
  const owner = await world.createUser();
  await world.link(owner, "demo");
  const template = await world.createTemplate(["demo"]);
  const made = (await world.createWorkspace(owner, template)).body;
  await world.service.restart();
  assert.equal((await world.createWorkspace(owner, template)).status, 201, "the link opens with the same key");
  const { body } = await world.api("GET", `/api/v2/workspaces/${made.id}`, { token: owner.token });
  assert.deepEqual(body, made);
});

test("an unlink in flight revokes before the end", async () => {
  const world = await freshWorld();
  const { demo, service } = world;
  const owner = await world.createUser();
  const { access_token } = await world.link(owner, "basic");
  await demo.closeGate("basic", "revoke");
  const unlinking = world.api("DELETE", "/api/v2/external-auth/basic", { token: owner.token });
  await demo.awaitGate("basic", "revoke");
  service.program.child.kill("SIGTERM");
  await demo.openGate("basic", "revoke");
  assert.equal((await unlinking).body.token_revoked, true);
  assert.equal((await service.program.exited()).code, 0);
  assert.equal((await demo.secrets()).find(({ value }) => value === access_token).live, false);
});
