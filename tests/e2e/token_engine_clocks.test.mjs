// SPDX-License-Identifier: Apache-2.0
// A replica whose clock is wrong, or jumps while it works: leases and cool-downs are judged on the database's clock, so
// there is still one exchange at a time, and nobody takes a lease that lives or waits for one that is over. libfaketime
// moves the replica's clock of the day and leaves the one alone that only counts.
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EngineWorld } from "../support/engine.mjs";
import { isSanitized, sanitizerRuntimes, Serve, temporaryDirectory } from "../support/serve.mjs";

const libraries = existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`) : [];
const library = libraries.find((path) => existsSync(path));
const runtimes = sanitizerRuntimes(); // a sanitizer wants to be the first library
const skip = (!library && "the package libfaketime is not installed") || (isSanitized() && runtimes.length === 0 && "the sanitizer is no library that could come first");

const LEASE_MS = 1500;
const directory = temporaryDirectory();
const world = await EngineWorld.open({ ids: ["chain", "held", "died", "jump", "cool", "hour"], settings: { REFRESH_LEASE: `${LEASE_MS}ms`, REFRESH_COOLDOWN: "60s" } });
const { demo } = world;

// Without the last one libfaketime ends every wait on the clock that only counts at once, whatever it was told.
const ONLY_TIME_OF_DAY = { FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1", FAKETIME_FORCE_MONOTONIC_FIX: "0" };

// A process whose clock is off by `offset`; set(offset) moves it while it runs.
async function wrongClock(name, offset) {
  const file = join(directory, name);
  writeFileSync(file, offset);
  const { key, adminToken, settings } = world.service;
  const serve = new Serve({
    databaseUrl: world.cluster.url(world.database), providers: world.providers, settings, key, adminToken, stateDirectory: join(directory, `${name}.state`),
    environment: { LD_PRELOAD: [...runtimes, library].join(" "), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1", ...ONLY_TIME_OF_DAY },
  });
  await serve.start();
  serve.setClock = (to) => writeFileSync(file, to);
  world.services.push(serve);
  return serve;
}
const ahead = skip ? null : await wrongClock("ahead", "+1h");
const behind = skip ? null : await wrongClock("behind", "-1h");

// In the log's own words: what time a process believes it is.
const believes = (service) => Date.parse(service.logLines().at(-1).time ?? service.logLines().at(-1).ts);

test("the replicas' clocks are wrong indeed", { skip }, async () => {
  for (const [service, offset_ms] of [[ahead, 3600e3], [behind, -3600e3], [world.service, 0]]) {
    await service.admin("GET", "/api/v2/users/me");
    assert.ok(Math.abs(believes(service) - Date.now() - offset_ms) < 60e3, service.stderr.slice(-300));
  }
});

test("many callers at processes with three clocks: one exchange", { skip }, async () => {
  await demo.set("chain", { expires_in: 8 * 3600, faults: { token: { delay_ms: 50 } } });
  const link = await world.expired("chain");
  for (let round = 1; round <= 5; round++) {
    const asking = world.services.flatMap((service) => Array.from({ length: 20 }, () => world.reason(link, service)));
    assert.deepEqual([...new Set(await Promise.all(asking))], ["valid"]);
    assert.equal(await demo.asked("chain", "token"), round);
    await world.sql("UPDATE links SET expires_at = now() - interval '5 hours', issued_at = now() - interval '9 hours' WHERE owner_id = $1", [link.user.id]);
  }
  await world.assertNeverTwice("chain");
});

for (const [name, offset] of [["ahead", "+1h"], ["behind", "-1h"]]) {
  const wrong = () => ({ ahead, behind })[name];

  test(`a lease that lives is not taken by a process an hour ${name}`, { skip }, async () => {
    await demo.set("held", { expires_in: 8 * 3600 });
    const { link, asking, waiting, before } = await world.bothAsk("held", { moment: "after", waiter: wrong() });
    await world.settled("held");
    assert.equal(await asking, "valid");
    assert.equal(await waiting, "valid");
    assert.equal(await world.answered("held") - before, 1);
    await world.assertNeverTwice("held");
    assert.equal((await world.row(link)).generation, 2);
  });

  test(`nor does a process an hour ${name} hold one for longer, or wait for longer, than it lives`, { skip }, async () => {
    const doomed = await wrongClock(`doomed-${name}`, offset);
    await demo.set("died", { expires_in: 8 * 3600, rotate: false });
    const { link, waiting } = await world.bothAsk("died", { moment: "before", service: doomed, waiter: world.service });
    const begun = Date.now();
    await world.lose(doomed);
    await demo.openGate("died", "token");
    assert.equal(await waiting, "valid");
    assert.ok(Date.now() - begun < LEASE_MS + 5000);
    const other = await world.expired("died");
    const healthy = await world.replica();
    const dying = await world.held(other, { service: healthy });
    const stuck = world.reason(other, wrong());
    await world.lose(healthy);
    await demo.openGate("died", "token");
    assert.equal(await dying.asking, null);
    assert.equal(await stuck, "valid", "a process with a wrong clock takes over when the database says so");
    await world.agree(link, "valid");
  });
}

test("a clock that jumps while the provider holds the answer", { skip }, async (t) => {
  await demo.set("jump", { expires_in: 8 * 3600 });
  for (const [from, to] of [["+0", "+1h"], ["+0", "-1h"], ["+1h", "-1h"]])
    await t.test(`${from} → ${to}`, async () => {
      const jumping = await wrongClock(`jump${from}${to}`, from);
      const { link, asking, waiting, before } = await world.bothAsk("jump", { moment: "after", service: jumping, waiter: world.service });
      jumping.setClock(to);
      await world.settled("jump");
      assert.equal(await asking, "valid");
      assert.equal(await waiting, "valid");
      await world.agree(link, "valid");
      assert.equal(await world.answered("jump") - before, 1);
      await world.lose(jumping, "SIGTERM");
    });
  await world.assertNeverTwice("jump");
});

test("a cool-down ends by the database's clock, too", { skip }, async () => {
  await demo.set("cool", { expires_in: 8 * 3600 });
  const link = await world.expired("cool");
  await demo.fault("cool", "token", { cut: "mid_body", commit: "no", times: 2 });
  await world.agree(link, "provider_unavailable");
  assert.equal(await demo.asked("cool", "token"), 2, "an hour more or less does not end it");
  await world.thaw(link);
  await world.agree(link, "valid");
});

// When a token runs out is told by whoever got it, so a wrong clock costs an exchange, and no more than that.
test("tokens that live for less than the clocks differ do not go round in circles", { skip }, async () => {
  const link = await world.expired("hour");
  for (let round = 0; round < 4; round++)
    for (const service of [behind, world.service, ahead]) assert.equal(await world.reason(link, service), "valid");
  assert.ok(await demo.asked("hour", "token") <= 3, `${await demo.asked("hour", "token")} exchanges`);
  await world.assertNeverTwice("hour");
});
