// SPDX-License-Identifier: Apache-2.0
// One `gatehouse serve` under test: started from GATEHOUSE_BIN with nothing in its environment but what a test gives
// it, asked over HTTP with every answer held against the document, and stopped so that a bad end is a failed test.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchange } from "./http.mjs";
import { checkAnswer } from "./openapi.mjs";
import { eventually, freePort, Program, runProgram } from "./process.mjs";

export const newSecret = () => randomBytes(32).toString("base64url");
export const newKey = () => randomBytes(32).toString("base64");

function binary() {
  const file = process.env.GATEHOUSE_BIN;
  assert.ok(file, "set GATEHOUSE_BIN to the gatehouse binary under test");
  return file;
}

// [{id: "github", client_id: "x"}, …] → GATEHOUSE_EXTERNAL_AUTH_0_ID=github, …
export function providerEnvironment(providers) {
  const environment = {};
  providers.forEach((provider, index) => {
    for (const [name, value] of Object.entries(provider))
      if (value !== undefined) environment[`GATEHOUSE_EXTERNAL_AUTH_${index}_${name.toUpperCase()}`] = String(value);
  });
  return environment;
}

// A sanitizer must end the process with a report that Program.sanitizerReport finds.
const sanitizerEnvironment = {
  ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? "abort_on_error=0:detect_leaks=1",
  UBSAN_OPTIONS: process.env.UBSAN_OPTIONS ?? "print_stacktrace=1:halt_on_error=1",
  TSAN_OPTIONS: process.env.TSAN_OPTIONS ?? "second_deadlock_stack=1",
  ...(process.env.LSAN_OPTIONS ? { LSAN_OPTIONS: process.env.LSAN_OPTIONS } : {}),
};

function baseEnvironment() {
  return { PATH: "/usr/bin:/bin", HOME: "/nonexistent", TZ: "UTC", ...sanitizerEnvironment };
}

// Runs another subcommand to its end.
export function runGatehouse(args, environment = {}) {
  return runProgram(`gatehouse ${args[0]}`, binary(), args, { env: { ...baseEnvironment(), ...environment } });
}

export class Service {
  // `settings` are GATEHOUSE_… variables without that prefix; undefined takes a default away.
  constructor({ databaseUrl, providers = [], settings = {}, adminToken = newSecret(), key = newKey() }) {
    this.adminToken = adminToken;
    this.key = key;
    this.databaseUrl = databaseUrl;
    this.providers = providers;
    this.settings = settings;
    this.logs = []; // stdout and stderr of earlier processes of this service
  }

  environment() {
    const settings = {
      HTTP_ADDRESS: "127.0.0.1:0",
      ADMIN_ADDRESS: `127.0.0.1:${this.adminPort}`,
      STATE_DIR: this.stateDirectory,
      PG_CONNECTION_URL: this.databaseUrl,
      EXTERNAL_TOKEN_ENCRYPTION_KEYS: this.key,
      BOOTSTRAP_ADMIN_TOKEN: this.adminToken,
      ...this.settings,
    };
    const named = Object.entries(settings).filter(([, value]) => value !== undefined);
    return {
      ...baseEnvironment(),
      ...Object.fromEntries(named.map(([name, value]) => [`GATEHOUSE_${name}`, String(value)])),
      ...providerEnvironment(this.providers),
    };
  }

  async start() {
    this.adminPort ??= await freePort();
    this.stateDirectory ??= mkdtempSync(join(tmpdir(), "ghstate-"));
    this.program = new Program("gatehouse serve", binary(), ["serve"], { env: this.environment() });
    const [, url] = await this.program.waitFor(/^gatehouse: listening on (\S+)$/m, 60000);
    this.accessUrl = url;
    this.base = this.settings.ACCESS_URL ? await this.#findListener() : url;
    this.adminBase = `http://127.0.0.1:${this.adminPort}`;
    return this;
  }

  // With an access URL of its own the printed line does not name the port, so the test must have chosen one.
  async #findListener() {
    assert.ok(this.settings.HTTP_ADDRESS, "a test that sets ACCESS_URL sets HTTP_ADDRESS too");
    return `http://${this.settings.HTTP_ADDRESS}`;
  }

  get stderr() { return this.program.stderr; }
  get pid() { return this.program.pid; }

  // Everything that any process of this service ever printed.
  output() {
    return [...this.logs, this.program.stdout, this.program.stderr].join("\n");
  }

  // SIGTERM; whatever is not a clean end fails the test.
  async stop() {
    if (!this.program) return;
    const { program } = this;
    const end = program.end ?? await program.stop("SIGTERM");
    rmSync(this.stateDirectory, { recursive: true, force: true });
    assert.equal(program.sanitizerReport(), null, program.sanitizerReport() ?? "");
    assert.equal(end.code, 0, `gatehouse serve must end with 0 after SIGTERM: ${program.story()}`);
  }

  async restart() {
    await this.stop();
    this.logs.push(this.program.stdout, this.program.stderr);
    this.stateDirectory = undefined;
    return this.start();
  }

  // One request; `body` is sent as JSON, `raw` as it is. The answer is checked against the document unless
  // `unchecked`. Gives {status, headers, body, text}.
  async request(method, path, { token, body, raw, headers = {}, admin = false, timeoutMs, unchecked = false, signal } = {}) {
    const sent = { ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    const payload = raw ?? (body === undefined ? null : JSON.stringify(body));
    const named = Object.keys(sent).some((name) => name.toLowerCase() === "content-type");
    if (body !== undefined && !named) sent["Content-Type"] = "application/json";
    const base = admin ? this.adminBase : this.base;
    const answer = await exchange(method, `${base}${path}`, { headers: sent, body: payload, timeoutMs, signal });
    if (!unchecked) answer.body = checkAnswer(method, path, answer);
    return answer;
  }

  admin(method, path, body) {
    return this.request(method, path, { token: this.adminToken, body });
  }

  // The log as objects, one a line; throws for a line that is not JSON.
  logLines() {
    return this.program.stderr.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  async metrics() {
    const { text } = await this.request("GET", "/metrics", { admin: true });
    return text;
  }

  async isReady() {
    return eventually("the service is ready", async () =>
      (await this.request("GET", "/readyz", { admin: true })).status === 200);
  }
}

// The sum of a metric's samples whose labels all match, 0 when there is none.
export function metricValue(text, name, labels = {}) {
  let sum = 0;
  for (const line of text.split("\n")) {
    const found = line.match(/^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/);
    if (!found || found[1] !== name) continue;
    const has = ([label, value]) => (found[2] ?? "").includes(`${label}="${value}"`);
    if (Object.entries(labels).every(has)) sum += Number(found[3]);
  }
  return sum;
}
