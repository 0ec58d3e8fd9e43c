// SPDX-License-Identifier: Apache-2.0
// Measures the service against its ceilings and prints one table. See README.md for what each row means. Fails only where
// something did not work; whether a target is met is told and not asserted, because rates on a shared machine are noise.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { exchange } from "../support/http.mjs";
import { runProgram } from "../support/process.mjs";
import { OWNERS, ownerName, Stage, WIDE } from "./stage.mjs";

const LOAD = fileURLToPath(new URL("load.lua", import.meta.url));
const WIDE_MS = 300;
const SLOW_MS = 500;
const CONNECTIONS = [16, 64];

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
  console.log(`Usage: tests/bench/run [--seconds N] [--rounds N] [--only WORD] [--quick]

  --seconds N   how long each load runs (4)
  --rounds N    how often ceiling and service take turns; medians are shown (3)
  --only WORD   one of create, preflight, refusal, wide, memory
  --quick       one round of a second each: proves that everything works and measures nothing`);
  process.exit(0);
}
const seconds = given.quick ? 1 : Number(given.seconds);
const rounds = given.quick ? 1 : Number(given.rounds);
assert.ok(seconds >= 1 && rounds >= 1, "--seconds and --rounds are numbers from 1 on");
const wanted = (name) => given.only === "" || given.only === name;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
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

async function wrk(url, connections, load, duration = seconds) {
  const run = randomBytes(2).toString("hex");
  const words = Object.entries({ run, ...load }).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
  const { code, stdout, stderr } = await runProgram("wrk", "wrk",
    ["-t2", `-c${connections}`, `-d${duration}s`, "--timeout", "10s", "-s", LOAD, url, "--", ...words]);
  assert.equal(code, 0, `wrk failed: ${stdout}${stderr}`);
  const measured = JSON.parse(stdout.trim().split("\n").at(-1));
  assert.ok(measured.requests > 0, `nothing was answered: ${stdout}`);
  assert.equal(measured.broken, 0, `connections broke: ${stdout}`);
  return measured;
}

// What each load asks the service, and what it asks the ceiling.
function loads(stage) {
  const { id: template, active_version_id: version } = stage.templates.plain;
  const asked = { token: stage.tokenFile };
  const workspaces = { ...asked, method: "POST", before: "/api/v2/users/", after: "/workspaces", template };
  return [
    { name: "create", refused: false, atLeast: 0.8, p99AtMost: 1.3,
      service: { ...workspaces, owner: "owner-" },
      ceiling: { ...workspaces, before: "/create/", after: "", owner: "owner-" } },
    { name: "preflight", refused: false, atLeast: 0.7,
      service: { ...asked, method: "GET", before: `/api/v2/templateversions/${version}/external-auth?user_id=`, after: "", owner: "owner-" },
      ceiling: { ...asked, method: "GET", before: "/read/", after: "", owner: "owner-" } },
    { name: "refusal", refused: true, atLeast: 0.7,
      service: { ...workspaces, owner: "guest-" },
      ceiling: { ...workspaces, before: "/check/", after: "", owner: "guest-" } },
  ].map((load) => ({ ...load, service: { owners: OWNERS, ...load.service }, ceiling: { owners: OWNERS, ...load.ceiling } }));
}

// With the CPU time that each answer cost the program.
async function wrkOn(program, ...args) {
  const before = Stage.cpuSeconds(program);
  const measured = await wrk(...args);
  return { ...measured, cpu_us: ((Stage.cpuSeconds(program) - before) * 1e6) / measured.requests };
}

async function runService(stage, load, connections, duration) {
  const measured = await wrkOn(stage.service, stage.serviceUrl, connections, load.service, duration);
  assert.equal(measured.refused, load.refused ? measured.requests : 0, `${load.name}: answers with a wrong status`);
  return measured;
}

async function runCeiling(stage, load, connections, duration) {
  const measured = await wrkOn(stage.ceiling, stage.ceilingUrl, connections, load.ceiling, duration);
  assert.equal(measured.refused, 0, "the ceiling failed; its output says why");
  return measured;
}

async function compare(stage, load, connections) {
  const ceilings = [];
  const services = [];
  for (let round = 0; round < rounds; round++) {
    ceilings.push(await runCeiling(stage, load, connections));
    services.push(await runService(stage, load, connections));
  }
  const of = (runs, what) => median(runs.map((run) => run[what]));
  const shown = (what, unit, scale) => ({
    ceiling: `${(of(ceilings, what) / scale).toFixed(scale > 1 ? 1 : 0)}${unit}`,
    service: `${(of(services, what) / scale).toFixed(scale > 1 ? 1 : 0)}${unit}`,
    value: of(services, what) / of(ceilings, what),
  });
  const title = `${load.name}, ${connections} connections`;
  report(`${title}: throughput`, { ...shown("rps", "/s", 1), atLeast: load.atLeast });
  report(`${title}: p99`, { ...shown("p99_us", " ms", 1000), atMost: load.p99AtMost });
  report(`${title}: CPU of the program`, shown("cpu_us", " µs", 1));
}

// The bytes of an answer on the wire.
function wireSize(answer) {
  const head = answer.rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  return "HTTP/1.1 200 OK\r\n".length + head + 2 + answer.bytes.length;
}

async function compareLoads(stage) {
  const chosen = loads(stage).filter(({ name }) => wanted(name));
  if (chosen.length === 0) return;
  const { id, active_version_id: version } = stage.templates.plain;
  await stage.startCeiling({
    create: wireSize(await stage.create(ownerName(1), "plain", "as-long-as-those-1")),
    refusal: wireSize(await stage.request(403, "POST", "/api/v2/users/guest-0001/workspaces", { name: "a", template_id: id })),
    preflight: wireSize(await stage.request(200, "GET", `/api/v2/templateversions/${version}/external-auth?user_id=${ownerName(1)}`)),
  });
  const hello = await wrk(stage.ceilingUrl, 64, { method: "GET", before: "/hello" }, seconds);
  report("bare CivetWeb handler, 64 connections", { ceiling: `${hello.rps.toFixed(0)}/s` });
  for (const load of chosen) {
    // Both meet their statements and fill their pools outside the measurement.
    await runCeiling(stage, load, 64, 1);
    await runService(stage, load, 64, 1);
    for (const connections of CONNECTIONS) await compare(stage, load, connections);
  }
}

// --- waiting for providers --------------------------------------------------------------------------------------------

const delay = (stage, provider, delay_ms) => stage.provider.fault(provider, "validate", { delay_ms });

async function measureWide(stage) {
  for (const provider of WIDE) await delay(stage, provider, WIDE_MS);
  const took = [];
  for (let run = 0; run < (given.quick ? 2 : 15); run++) {
    const began = performance.now();
    await stage.create(ownerName(1), "wide", `wide-${run}`);
    if (run > 0) took.push(performance.now() - began);
  }
  report(`create, ${WIDE.length} providers of ${WIDE_MS} ms each`, {
    ceiling: `${WIDE_MS} ms`, service: `${median(took).toFixed(0)} ms`, value: median(took) / WIDE_MS, atMost: 1.15,
  });
}

async function measureWaiting(stage) {
  await delay(stage, "slow", SLOW_MS);
  const answers = Promise.all(Array.from({ length: OWNERS }, (_, index) => stage.create(ownerName(index + 1), "slow", "waits")));
  let open = true;
  const settled = answers.finally(() => (open = false));
  let resident = 0;
  let waiting = 0;
  while (open) {
    resident = Math.max(resident, stage.residentMib());
    waiting = Math.max(waiting, Number((await stage.metrics()).match(/^gatehouse_http_requests_in_flight (\d+)/m)[1]));
    await sleep(50);
  }
  await settled;
  assert.ok(waiting >= OWNERS * 0.9, `only ${waiting} creates waited at once`);
  report(`resident, ${OWNERS} creates waiting, all answered 201`, { value: resident, unit: " MiB", atMost: 120 });
}

function printConditions() {
  console.log(`\n${availableParallelism()} cores; ${rounds} round(s) of ${seconds} s.${given.quick ? " --quick: these figures mean nothing." : ""}`);
}

// Whatever was asked, the service may have said only what was expected.
async function checkStatuses(stage) {
  const samples = (await stage.metrics()).matchAll(/^gatehouse_http_requests_total\{route="([^"]*)",status="(\d+)"\} (\d+)$/gm);
  const odd = [...samples].filter(([, , status]) => !["200", "201", "204", "403"].includes(status));
  assert.deepEqual(odd.map(([line]) => line), [], "answers with a wrong status");
}

const stage = new Stage();
try {
  await stage.open();
  await sleep(500);
  if (wanted("memory")) report("resident, idle", { value: stage.residentMib(), unit: " MiB", atMost: 40 });
  await stage.fill();
  if (wanted("wide")) await measureWide(stage);
  if (wanted("memory")) await measureWaiting(stage);
  await compareLoads(stage);
  report("resident, at the end", { value: stage.residentMib(), unit: " MiB" });
  await checkStatuses(stage);
} catch (error) {
  if (stage.service) console.error(stage.service.story());
  throw error;
} finally {
  await stage.close();
}
printTable();
printConditions();
