// SPDX-License-Identifier: Apache-2.0
// Load from wrk, and what it cost the program that answered.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runProgram } from "../support/process.mjs";

const LOAD = fileURLToPath(new URL("load.lua", import.meta.url));

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

// `load` is what load.lua takes.
export async function wrk(url, connections, load, seconds) {
  const run = randomBytes(2).toString("hex");
  const words = Object.entries({ run, ...load }).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
  const { code, stdout, stderr } = await runProgram("wrk", "wrk",
    ["-t2", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", LOAD, url, "--", ...words]);
  assert.equal(code, 0, `wrk failed: ${stdout}${stderr}`);
  const measured = JSON.parse(stdout.trim().split("\n").at(-1));
  assert.ok(measured.requests > 0, `nothing was answered: ${stdout}`);
  assert.equal(measured.broken, 0, `connections broke: ${stdout}`);
  return measured;
}

// Seconds of CPU that a program has used so far: columns 14 and 15, counted behind the name, in hundredths.
function cpuSeconds(program) {
  const columns = readFileSync(`/proc/${program.pid}/stat`, "utf8").split(") ").at(-1).split(" ");
  return (Number(columns[11]) + Number(columns[12])) / 100;
}

// With the CPU time that each answer cost the program.
export async function wrkOn(program, ...args) {
  const before = cpuSeconds(program);
  const measured = await wrk(...args);
  return { ...measured, cpu_us: ((cpuSeconds(program) - before) * 1e6) / measured.requests };
}
