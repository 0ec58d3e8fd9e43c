// SPDX-License-Identifier: Apache-2.0
// Measures the service against its ceilings and prints one table. See README.md for what each row means. Fails only where
// something did not work; whether a target is met is told and not asserted, because rates on a shared machine are noise.
import assert from "node:assert/strict";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { accessToken } from "./cli.mjs";
import { FLIGHTS, HELD, holes, manyLinks, oneLink, slowToken } from "./engine.mjs";
import { newKeys, NO_KEYS } from "./service.mjs";
import { OWNERS, ownerName, Stage, WIDE } from "./stage.mjs";
import { median, wrk, wrkOn } from "./wrk.mjs";

const WIDE_MS = 300;
const SLOW_MS = 500;
const TOKEN_MS = 300;
const CALLERS = 50;
const CONNECTIONS = [16, 64];
const WORDS = ["create", "preflight", "cached", "refusal", "check", "ext-authz", "log", "keys", "wide", "one-link", "many-links", "hole", "memory", "impact", "page", "cli"];

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (given.help) {
  console.log(`Usage: tests/bench/run [--seconds N] [--rounds N] [--only WORD,…] [--quick]

  --seconds N   how long each load runs (4)
  --rounds N    how often ceiling and service take turns; medians are shown (3)
  --only WORD,… some of ${WORDS.join(", ")}
  --quick       one round of a second each: proves that everything works and measures nothing`);
  process.exit(0);
}
const seconds = given.quick ? 1 : Number(given.seconds);
const rounds = given.quick ? 1 : Number(given.rounds);
assert.ok(seconds >= 1 && rounds >= 1, "--seconds and --rounds are numbers from 1 on");
const only = given.only === "" ? WORDS : given.only.split(",");
assert.ok(only.every((word) => WORDS.includes(word)), `--only takes words of ${WORDS.join(", ")}`);
const wanted = (word) => only.includes(word);

const rows = [];

// One line of the table. `target` is a bound of `value`, from below (atLeast) or from above.
function report(name, { ceiling = "", service = "", value, unit = "", atLeast, atMost }) {
  const bound = atLeast ?? atMost;
  const met = atLeast !== undefined ? value >= atLeast : value <= atMost;
  const target = bound === undefined ? "" : `${atLeast !== undefined ? "≥" : "≤"} ${bound}${unit}`;
  rows.push([name, ceiling, service, value === undefined ? "" : `${value.toFixed(2)}${unit}`, target, bound === undefined ? "" : met ? "yes" : "NO"]);
  console.error(rows.at(-1).filter((cell) => cell !== "").join("  "));
}

function printTable() {
  const table = [["", "ceiling", "service", "ratio", "target", "met"], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) console.log(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  ").trimEnd());
}

// --- loads ------------------------------------------------------------------------------------------------------------

// Creates on `plain`, the owners in turn.
const creates = (service) => ({
  token: service.tokenFile, method: "POST", before: "/api/v2/users/", after: "/workspaces", owner: "owner-", owners: OWNERS,
  template: service.templates.plain.id,
});

// What each load asks the service, and what it asks the ceiling.
function loads(stage) {
  const asked = { token: stage.service.tokenFile };
  const workspaces = creates(stage.service);
  const preflight = (template) => {
    const { active_version_id: version } = stage.service.templates[template];
    return { ...asked, method: "GET", before: `/api/v2/templateversions/${version}/external-auth?user_id=`, after: "", owner: "owner-" };
  };
  const read = { ...asked, method: "GET", before: "/read/", after: "", owner: "owner-" };
  const { active_version_id: cached } = stage.service.templates.cached;
  const check = { ...asked, method: "POST", before: "/gate/v1/check", owner: "owner-", bare: "yes", version: cached };
  const verdict = { ...check, before: "/verdict/", after: "", bare: undefined };
  return [
    { name: "create", refused: false, atLeast: 0.8, p99AtMost: 1.3,
      service: workspaces,
      ceiling: { ...workspaces, before: "/create/", after: "", owner: "owner-" } },
    { name: "preflight", refused: false, atLeast: 0.7,
      service: preflight("plain"), ceiling: read },
    { name: "cached", title: "preflight, verdict from the cache", refused: false, atLeast: 0.8, neverAsks: "cached",
      service: preflight("cached"), ceiling: read },
    { name: "check", title: "check, verdict from the cache", refused: false, atLeast: 0.8, p99MsAtMost: 10, neverAsks: "cached",
      service: check, ceiling: verdict },
    { name: "ext-authz", title: "ext-authz, verdict from the cache", refused: false, p99MsAtMost: 200, neverAsks: "cached",
      service: { ...asked, method: "GET", before: "/gate/v1/ext-authz/any/path", owner: "owner-", bare: "yes", asks: cached },
      ceiling: verdict },
    { name: "refusal", refused: true, atLeast: 0.7,
      service: { ...workspaces, owner: "guest-" },
      ceiling: { ...workspaces, before: "/check/", after: "", owner: "guest-" } },
    { name: "page", title: "page to sign in on, against the bare handler", refused: false, atLeast: 0.5,
      service: { method: "GET", before: "/login" },
      ceiling: { method: "GET", before: "/hello" } },
  ].map((load) => ({ ...load, service: { owners: OWNERS, ...load.service }, ceiling: { owners: OWNERS, ...load.ceiling } }));
}

async function runService(stage, load, connections, duration = seconds) {
  const measured = await wrkOn(stage.service.program, stage.service.url, connections, load.service, duration);
  assert.equal(measured.refused, load.refused ? measured.requests : 0, `${load.name}: answers with a wrong status`);
  return measured;
}

async function runCeiling(stage, load, connections, duration = seconds) {
  const measured = await wrkOn(stage.ceiling, stage.ceilingUrl, connections, load.ceiling, duration);
  assert.equal(measured.refused, 0, "the ceiling failed; its output says why");
  return measured;
}

// The medians of two lots of runs, and how the second compares to the first.
function shown(ceilings, services, what, unit, scale) {
  const [ceiling, service] = [ceilings, services].map((runs) => median(runs.map((run) => run[what])));
  const text = (value) => `${(value / scale).toFixed(scale > 1 ? 1 : 0)}${unit}`;
  return { ceiling: text(ceiling), service: text(service), value: service / ceiling };
}

async function compare(stage, load, connections) {
  const ceilings = [];
  const services = [];
  const asked = load.neverAsks && (await stage.provider.asked(load.neverAsks));
  for (let round = 0; round < rounds; round++) {
    ceilings.push(await runCeiling(stage, load, connections));
    services.push(await runService(stage, load, connections));
  }
  if (load.neverAsks) assert.equal(await stage.provider.asked(load.neverAsks), asked, "requests to a provider whose verdict is known");
  const title = `${load.title ?? load.name}, ${connections} connections`;
  const told = (what, unit, scale) => shown(ceilings, services, what, unit, scale);
  report(`${title}: throughput`, { ...told("rps", "/s", 1), atLeast: load.atLeast });
  const p99 = told("p99_us", " ms", 1000);
  if (load.p99MsAtMost) report(`${title}: p99`, { ...p99, value: median(services.map((run) => run.p99_us)) / 1000, unit: " ms", atMost: load.p99MsAtMost });
  else report(`${title}: p99`, { ...p99, atMost: load.p99AtMost });
  report(`${title}: CPU of the program`, told("cpu_us", " µs", 1));
}

// The bytes of an answer on the wire.
function wireSize(answer) {
  const head = answer.rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  return "HTTP/1.1 200 OK\r\n".length + head + 2 + answer.bytes.length;
}

async function compareLoads(stage) {
  const chosen = loads(stage).filter(({ name }) => wanted(name));
  if (chosen.length === 0 && !wanted("log")) return;
  const { id, active_version_id: version } = stage.service.templates.plain;
  await stage.startCeiling({
    create: wireSize(await stage.service.create(ownerName(1), "plain", "as-long-as-those-1")),
    refusal: wireSize(await stage.service.request(403, "POST", "/api/v2/users/guest-0001/workspaces", { name: "a", template_id: id })),
    verdict: wireSize(await stage.service.request(200, "POST", "/gate/v1/check", { owner: ownerName(1), template_version_id: stage.service.templates.cached.active_version_id })),
    preflight: wireSize(await stage.service.request(200, "GET", `/api/v2/templateversions/${version}/external-auth?user_id=${ownerName(1)}`)),
  });
  const hello = await wrk(stage.ceilingUrl, 64, { method: "GET", before: "/hello" }, seconds);
  report("bare CivetWeb handler, 64 connections", { ceiling: `${hello.rps.toFixed(0)}/s` });
  for (const load of chosen) {
    // Both meet their statements and fill their pools outside the measurement.
    await runCeiling(stage, load, 64, 1);
    await runService(stage, load, 64, 1);
    for (const connections of CONNECTIONS) await compare(stage, load, connections);
  }
  if (wanted("log")) await measureLog(stage);
}

// The ceiling's create against the same without the decision's row. PostgreSQL's share of the cost shows in the rate alone.
async function measureLog(stage) {
  const logged = loads(stage).find(({ name }) => name === "create");
  const ways = ["/unlogged/", "/create/"].map((before) => ({ ...logged, ceiling: { ...logged.ceiling, before } }));
  for (const way of ways) await runCeiling(stage, way, 64, 1);
  for (const connections of CONNECTIONS) {
    const pairs = [];
    for (let turn = 0; turn < 4 * rounds; turn++) {
      const pair = [];
      for (const which of turn % 2 === 0 ? [0, 1] : [1, 0]) pair[which] = await runCeiling(stage, ways[which], connections, Math.ceil(seconds / 2));
      pairs.push(pair);
    }
    const told = (what, unit, scale) => ({
      ...shown(pairs.map(([without]) => without), pairs.map(([, row]) => row), what, unit, scale),
      value: median(pairs.map(([without, row]) => row[what] / without[what])),
    });
    report(`create with its row of the decision log against without, ${connections} connections: throughput`, { ...told("rps", "/s", 1), atLeast: 0.9 });
    report(`create with its row of the decision log against without, ${connections} connections: CPU of the program`, told("cpu_us", " µs", 1));
  }
}

// --- waiting for providers --------------------------------------------------------------------------------------------

const delay = (stage, provider, delay_ms) => stage.provider.fault(provider, "validate", { delay_ms });

async function measureWide(stage) {
  for (const provider of WIDE) await delay(stage, provider, WIDE_MS);
  const took = [];
  for (let run = 0; run < (given.quick ? 2 : 15); run++) {
    const began = performance.now();
    await stage.service.create(ownerName(1), "wide", `wide-${run}`);
    if (run > 0) took.push(performance.now() - began);
  }
  report(`create, ${WIDE.length} providers of ${WIDE_MS} ms each`, {
    ceiling: `${WIDE_MS} ms`, service: `${median(took).toFixed(0)} ms`, value: median(took) / WIDE_MS, atMost: 1.15,
  });
}

async function measureWaiting(stage) {
  await delay(stage, "slow", SLOW_MS);
  const answers = Promise.all(Array.from({ length: OWNERS }, (_, index) => stage.service.create(ownerName(index + 1), "slow", "waits")));
  let open = true;
  const settled = answers.finally(() => (open = false));
  let resident = 0;
  let waiting = 0;
  while (open) {
    resident = Math.max(resident, stage.service.residentMib());
    waiting = Math.max(waiting, await stage.service.inFlight());
    await sleep(50);
  }
  await settled;
  assert.ok(waiting >= OWNERS * 0.9, `only ${waiting} creates waited at once`);
  report(`resident, ${OWNERS} creates waiting, all answered 201`, { value: resident, unit: " MiB", atMost: 120 });
}

// --- the token engine -------------------------------------------------------------------------------------------------

async function measureOneLink(stage) {
  await slowToken(stage, TOKEN_MS);
  const took = [];
  for (let round = 0; round < (given.quick ? 1 : 11); round++) took.push(await oneLink(stage, CALLERS, round));
  report(`${CALLERS} creates of one expired link, all answered 201`, {
    ceiling: `${TOKEN_MS} ms`, service: `${median(took).toFixed(0)} ms`, value: median(took) / TOKEN_MS, atMost: 1.3,
  });
}

async function measureManyLinks(stage) {
  const count = given.quick ? 100 : 1000;
  const bound = Math.ceil(count / FLIGHTS) * TOKEN_MS;
  const took = [];
  await slowToken(stage, TOKEN_MS);
  for (let round = 0; round < rounds; round++) took.push(await manyLinks(stage, count, round));
  report(`creates of ${count} owners with expired links`, {
    ceiling: `${bound} ms`, service: `${median(took).toFixed(0)} ms`, value: median(took) / bound, atMost: 1.5,
  });
}

async function measureHole(stage) {
  for (const [index, connections] of CONNECTIONS.entries()) {
    const names = stage.holes.slice(index * rounds, (index + 1) * rounds);
    const measured = await holes(stage, names, { load: creates(stage.service), connections, seconds });
    const [without, beside] = ["without", "beside"].map((which) => measured.map((round) => round[which]));
    const title = `create beside ${HELD} at a black hole, ${connections} connections`;
    report(`${title}: p95`, { ...shown(without, beside, "p95_us", " ms", 1000), atMost: 1.5 });
    report(`${title}: throughput`, shown(without, beside, "rps", "/s", 1));
    report(`${title}: CPU of the program`, shown(without, beside, "cpu_us", " µs", 1));
  }
}

// What is looked for is smaller than the noise, so: many short turns, each compared to its neighbour alone, and the ways take
// turns in going first.
async function measureKeys(stage) {
  const ways = [await stage.startAnother("clear", NO_KEYS), await stage.startAnother("sealed", newKeys())];
  const run = async (service, duration) => {
    const measured = await wrkOn(service.program, service.url, 64, creates(service), duration);
    assert.equal(measured.refused, 0, "creates: answers with a wrong status");
    return measured;
  };
  for (const service of ways) await run(service, 1);
  const pairs = [];
  for (let turn = 0; turn < 4 * rounds; turn++) {
    const pair = [];
    for (const which of turn % 2 === 0 ? [0, 1] : [1, 0]) pair[which] = await run(ways[which], Math.ceil(seconds / 2));
    pairs.push(pair);
  }
  const [clear, sealed] = [0, 1].map((which) => pairs.map((pair) => pair[which]));
  const ratio = (what) => ({ value: median(pairs.map((pair) => pair[1][what] / pair[0][what])) });
  report("create, keys against cleartext: throughput", { ...shown(clear, sealed, "rps", "/s", 1), ...ratio("rps"), atLeast: 0.95 });
  report("create, keys against cleartext: CPU of the program", { ...shown(clear, sealed, "cpu_us", " µs", 1), ...ratio("cpu_us"), atMost: 1.05 });
}

// Each with about a tenth less links than owners times providers.
async function measureImpact(stage) {
  const scale = given.quick ? 0.01 : 1;
  for (const [prefix, owners, providers] of [["fleet", 112000 * scale, ["plain"]], ["fleet-wide", 28000 * scale, WIDE]]) {
    await stage.fillFleet(prefix, owners, providers);
    const { active_version_id: version } = stage.service.templates[prefix];
    const took = [];
    for (let run = 0; run < (given.quick ? 2 : 8); run++) {
      const began = performance.now();
      const { owners: counted } = JSON.parse((await stage.service.request(200, "GET", `/gate/v1/templateversions/${version}/impact`)).text);
      if (run > 0) took.push(performance.now() - began);
      assert.equal(counted, owners);
    }
    report(`impact, ${owners} owners with ${providers.length} link(s) each`, { value: median(took), unit: " ms", atMost: 1000 });
  }
}

// Starting the program and asking once is what there is to do; the rest is the tool's own.
async function measureCli(stage) {
  const { bare, tool } = await accessToken(stage.service, stage.folder, given.quick ? 3 : 40);
  report("gatehouse access-token", { ceiling: `${bare.toFixed(1)} ms`, service: `${tool.toFixed(1)} ms`, value: tool / bare, atMost: 1.5 });
}

function printConditions() {
  console.log(`\n${availableParallelism()} cores; ${rounds} round(s) of ${seconds} s; load average ${loadBefore} before and ${loadavg()[0].toFixed(1)} after.${given.quick ? " --quick: these figures mean nothing." : ""}`);
}

// Whatever was asked, the service may have said only what was expected: 503 to those who needed a black hole, whom holes()
// counts.
async function checkStatuses(stage) {
  const samples = (await stage.service.metrics()).matchAll(/^gatehouse_http_requests_total\{route="([^"]*)",status="(\d+)"\} (\d+)$/gm);
  const odd = [...samples].filter(([, , status]) => !["200", "201", "204", "403", ...(wanted("hole") ? ["503"] : [])].includes(status));
  assert.deepEqual(odd.map(([line]) => line), [], "answers with a wrong status");
}

const loadBefore = loadavg()[0].toFixed(1);
const stage = new Stage();
try {
  // A hole for each round: a provider that could not be reached is left alone for a while.
  const holeCount = wanted("hole") ? rounds * CONNECTIONS.length : 0;
  await stage.open(Array.from({ length: holeCount }, (_, index) => `hole-${index + 1}`));
  await sleep(500);
  if (wanted("memory")) report("resident, idle", { value: stage.service.residentMib(), unit: " MiB", atMost: 40 });
  await stage.fill();
  if (wanted("cli")) await measureCli(stage);
  if (wanted("wide")) await measureWide(stage);
  if (wanted("memory")) await measureWaiting(stage);
  await compareLoads(stage);
  if (wanted("one-link")) await measureOneLink(stage);
  if (wanted("many-links")) await measureManyLinks(stage);
  if (wanted("hole")) await measureHole(stage);
  report("resident, at the end", { value: stage.service.residentMib(), unit: " MiB" });
  await checkStatuses(stage);
  if (wanted("keys")) await measureKeys(stage);
  // Last, because of what so many rows leave PostgreSQL to do.
  if (wanted("impact")) await measureImpact(stage);
} catch (error) {
  if (stage.service) console.error(stage.service.story());
  throw error;
} finally {
  await stage.close();
}
printTable();
printConditions();
