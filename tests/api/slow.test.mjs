// SPDX-License-Identifier: Apache-2.0
// Slow clients: however many connections drip or say nothing, and however many creates wait for a slow provider, a
// normal request is answered soon.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.mjs";
import { eventually } from "../support/process.mjs";
import { World } from "../support/world.mjs";

const world = await World.open({ providers: (demo) => [demo.configure("demo"), demo.configure("slow")] });
const { service, demo } = world;
const CLIENTS = 150;
const SOON_MS = 2500;

async function assertAnswersSoon(what) {
  for (let i = 0; i < 3; i++) {
    const begun = Date.now();
    const answer = await world.api("GET", "/api/v2/users/me", { token: service.adminToken });
    assert.equal(answer.status, 200);
    const took = Date.now() - begun;
    assert.ok(took < SOON_MS, `${what}: a normal request took ${took} ms`);
  }
}

async function crowd(open) {
  const connections = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const connection = await RawConnection.open(service.base);
    open(connection);
    return connection;
  }));
  await new Promise((resolve) => setTimeout(resolve, 300));
  return connections;
}

const CROWDS = {
  "connections that say nothing": () => {},
  "request lines that are never ended": (connection) => connection.send("GET /api/v2/users/me HTTP/1.1\r\nHost: x\r\n"),
  "bodies that never come": (connection) => connection.send(
    `POST /api/v2/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.adminToken}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`),
  "bodies of strangers that never come": (connection) => connection.send(
    "POST /api/v2/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"),
};

for (const [name, open] of Object.entries(CROWDS))
  test(`${CLIENTS} ${name} hold nobody up`, async () => {
    const connections = await crowd(open);
    try {
      await assertAnswersSoon(name);
    } finally {
      for (const connection of connections) connection.end();
    }
  });

test("a dripping body is given up in bounded time", async () => {
  const connection = await RawConnection.open(service.base);
  connection.send(`POST /api/v2/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.adminToken}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`);
  const drip = setInterval(() => connection.send(" "), 200);
  try {
    await eventually("it is closed, though a byte comes every 200 ms", () => connection.closed, 20000);
  } finally {
    clearInterval(drip);
  }
});

test("creates that wait for a slow provider hold nobody else up, and are all answered", async () => {
  // Fifty owners, two creates each: the creates of one owner share what is asked of the provider.
  const owners = await Promise.all(Array.from({ length: 50 }, () => world.createUser()));
  await Promise.all(owners.map((owner) => world.link(owner, "slow")));
  const template = await world.createTemplate(["slow"]);
  await demo.closeGate("slow", "validate");
  const waiting = [...owners, ...owners].map((owner) => world.createWorkspace(owner, template));
  try {
    await demo.awaitGate("slow", "validate", 40);
    await assertAnswersSoon("100 creates wait");
    const free = await world.createWorkspace(owners[0], await world.createTemplate());
    assert.equal(free.status, 201);
  } finally {
    await demo.openGate("slow", "validate");
  }
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  assert.deepEqual(statuses, Array(100).fill(201));
});
