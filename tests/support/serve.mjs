// SPDX-License-Identifier: Apache-2.0
// A `gatehouse serve` of which a test decides more than the API tests do: whose process it is, what else is in its
// environment, where its state is, and which way it ends. Its state directory stays until the test removes it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { Cluster } from "./postgres.mjs";
import { eventually, freePort, Program } from "./process.mjs";
import { DemoProvider } from "./provider.mjs";
import { Service } from "./service.mjs";
import { World } from "./world.mjs";

export const isRoot = process.getuid() === 0;
// An account that owns nothing here; only root can become it.
export const nobody = isRoot ? { uid: 65534, gid: 65534 } : {};

// A directory that everybody may pass through and that goes with the test that asks for it, or with the file.
export function temporaryDirectory(prefix = "ghe2e-") {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(directory, 0o755);
  after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return directory;
}

let copied;
// The binary where every account can execute it.
export function publicBinary() {
  if (copied) return copied;
  const directory = mkdtempSync(join(tmpdir(), "ghbin-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  copied = join(directory, "gatehouse");
  copyFileSync(process.env.GATEHOUSE_BIN, copied);
  chmodSync(copied, 0o755);
  return copied;
}

let hasSanitizer;
// A sanitizer needs what the service else forbids, to attach to itself above all.
export function isSanitized() {
  hasSanitizer ??= /__(asan|tsan)_init/.test(readFileSync(process.env.GATEHOUSE_BIN, "latin1"));
  return hasSanitizer;
}

// The runtimes of the binary's sanitizers, where they are libraries of their own: whatever a test preloads stands behind
// them.
export function sanitizerRuntimes() {
  const listed = execFileSync("ldd", [process.env.GATEHOUSE_BIN], { encoding: "utf8" });
  return [...listed.matchAll(/=> (\/\S*\/lib(?:asan|tsan|ubsan)\.so\S*)/g)].map(([, path]) => path);
}

const living = new Set();
after(async () => {
  for (const serve of living) await serve.end("SIGTERM").catch(() => {});
});

export class Serve extends Service {
  // `environment` is added to it as it is, undefined takes a name away; `identity` is {uid, gid}; `args` stand behind
  // `serve`.
  constructor({ environment = {}, identity = {}, args = [], stateDirectory, binary, ...rest } = {}) {
    super(rest);
    Object.assign(this, { extra: environment, identity, args, stateDirectory, file: binary ?? process.env.GATEHOUSE_BIN });
  }

  environment() {
    const all = { ...super.environment(), ...this.extra };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  // Starts the process and waits for nothing.
  async spawn() {
    this.adminPort ??= await freePort();
    this.adminBase = `http://127.0.0.1:${this.adminPort}`;
    if (this.program) this.logs.push(this.program.stdout, this.program.stderr);
    this.program = new Program("gatehouse serve", this.file, ["serve", ...this.args], { env: this.environment(), ...this.identity });
    living.add(this);
    return this;
  }

  async start() {
    await this.spawn();
    const [, url] = await this.program.waitFor(/^gatehouse: listening on (\S+)$/m, 60000);
    this.accessUrl = url;
    this.base = this.settings.ACCESS_URL ? `http://${this.settings.HTTP_ADDRESS}` : url;
    return this;
  }

  // Ends it; after SIGTERM or SIGINT whatever is not a clean end fails the test.
  async end(signal = "SIGTERM") {
    living.delete(this);
    const { program } = this;
    const end = program.end ?? await program.stop(signal);
    assert.equal(program.sanitizerReport(), null, program.sanitizerReport() ?? "");
    if (signal !== "SIGKILL") assert.equal(end.code, 0, `gatehouse serve must end with 0 after ${signal}: ${program.story()}`);
    return end;
  }

  stop() { return this.end(); }

  async restart() {
    await this.end();
    return this.start();
  }
}

// A start that must not succeed: how it ended and what it said.
export async function refusedStart(options) {
  const serve = await new Serve(options).spawn();
  const { program } = serve;
  let timer;
  const tooLong = new Promise((resolve) => (timer = setTimeout(resolve, 30000)));
  await Promise.race([program.exited(), program.waitFor(/listening/, 30000).catch(() => {}), tooLong]);
  clearTimeout(timer);
  if (!program.end) {
    await serve.end("SIGKILL");
    assert.fail(`the start must be refused: ${program.story()}`);
  }
  living.delete(serve);
  assert.equal(program.sanitizerReport(), null, program.sanitizerReport() ?? "");
  assert.equal(program.stdout, "", "nothing on stdout without being ready");
  return { code: program.end.code, stderr: program.stderr, stdout: program.stdout };
}

// Asserts an end with `code` and one sentence of the program's own on stderr that matches every pattern and none of
// `never`; gives the sentence. Lines of the log (JSON) may stand beside it.
export function assertSentence(outcome, code, patterns = [], never = []) {
  assert.equal(outcome.code, code, `${outcome.stdout}${outcome.stderr}`);
  const said = outcome.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  assert.equal(said.length, 1, `one sentence, but: ${outcome.stderr}`);
  assert.match(said[0], /^gatehouse: /);
  for (const pattern of patterns) assert.match(said[0], pattern);
  for (const secret of never) assert.ok(!outcome.stderr.includes(secret), `${secret} is in: ${outcome.stderr}`);
  // What an operator is to type is no leak: a GRANT may be advised.
  const withoutAdvice = outcome.stderr.replace(/GRANT [^;]*;/g, "");
  assert.doesNotMatch(withoutAdvice, /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|ALTER TABLE)\b/, "no SQL");
  return said[0];
}

// --- /proc ---------------------------------------------------------------------------------------------------------

export const isAlive = (pid) => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};
export const isGone = (pid, timeoutMs = 20000) => eventually(`process ${pid} is gone`, () => !isAlive(pid), timeoutMs);

// Every process that can be seen: {pid, parent, command}.
export function processes() {
  const found = [];
  for (const name of readdirSync("/proc").filter((each) => /^[0-9]+$/.test(each)))
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      found.push({ pid: Number(name), parent: Number(status.match(/^PPid:\s+(\d+)/m)[1]), command });
    } catch { /* it has ended meanwhile */ }
  return found;
}

// Every file below a directory, as paths.
export function* filesBelow(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

// The cluster a service runs in its state directory: {pid, directory, port, socketDirectory, listens}, or null.
// https://www.postgresql.org/docs/15/storage-file-layout.html names postmaster.pid and its lines.
export function embeddedCluster(stateDirectory) {
  const root = join(stateDirectory, "postgres");
  for (const file of [join(root, "postmaster.pid"), join(root, "data", "postmaster.pid")]) {
    if (!existsSync(file)) continue;
    const [pid, directory, , port, socketDirectory, listens] = readFileSync(file, "utf8").split("\n");
    if (pid) return { pid: Number(pid), directory, port: Number(port), socketDirectory, listens };
  }
  return null;
}

// --- worlds --------------------------------------------------------------------------------------------------------

// A World (short ways to make users, templates, links) around a Serve: on a database of the run's cluster, or on its
// embedded one with `embedded`. Ends with the test file.
export async function openWorld({ embedded = false, demo = false, providers = [], cluster, ...options } = {}) {
  const world = new World();
  world.demo = demo ? await DemoProvider.start() : { stop() {} };
  world.cluster = embedded ? { stop() {} } : cluster ?? await Cluster.share();
  world.database = embedded ? null : await world.cluster.createDatabase();
  world.providers = typeof providers === "function" ? providers(world.demo) : providers;
  const databaseUrl = embedded ? undefined : world.cluster.url(world.database);
  world.service = new Serve({ databaseUrl, providers: world.providers, ...options });
  world.service.stateDirectory ??= join(temporaryDirectory(), "state");
  world.services = [world.service];
  after(() => world.close());
  await world.service.start();
  return world;
}
