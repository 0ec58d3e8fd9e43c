// SPDX-License-Identifier: Apache-2.0
// Starts the programs that tests need, waits for the line that says they are ready, keeps what they print, and sees
// to it that none outlives the test process, whatever way that one ends.
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const running = new Map(); // child → signal that ends it at once

process.on("exit", () => {
  for (const [child, signal] of running) child.kill(signal);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

// Words that a sanitizer prints; a process under test must never print one.
const SANITIZER = /(?:Address|Thread|Leak|Memory|UndefinedBehavior)Sanitizer|runtime error: /;

export class Program {
  #stdout = "";
  #stderr = "";
  #exited;

  // `killSignal` is what ends it when the test process goes away.
  constructor(name, file, args, { env = process.env, uid, gid, cwd, killSignal = "SIGKILL" } = {}) {
    this.name = name;
    this.child = spawn(file, args, { env, uid, gid, cwd, stdio: ["ignore", "pipe", "pipe"] });
    running.set(this.child, killSignal);
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.#stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr += text));
    this.#exited = new Promise((resolve) => {
      this.child.once("error", (error) => resolve({ code: null, signal: null, error }));
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    }).then((end) => {
      running.delete(this.child);
      this.end = end;
      return end;
    });
  }

  get pid() { return this.child.pid; }
  get stdout() { return this.#stdout; }
  get stderr() { return this.#stderr; }
  exited() { return this.#exited; }

  // The match of `pattern` in stdout, as soon as it is there; throws with all output when the program ends first.
  async waitFor(pattern, timeoutMs = 30000) {
    return this.#waitIn(() => this.#stdout.match(pattern), pattern, timeoutMs);
  }

  async waitForLog(pattern, timeoutMs = 10000) {
    return this.#waitIn(() => this.#stderr.match(pattern), pattern, timeoutMs);
  }

  async #waitIn(find, pattern, timeoutMs) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.end) throw new Error(`${this.name} ended before it said ${pattern}: ${this.story()}`);
      if (Date.now() > deadline) throw new Error(`${this.name} did not say ${pattern} in ${timeoutMs} ms: ${this.story()}`);
      await sleep(10);
    }
  }

  // Ends it with `signal`; SIGKILL if it does not obey in time, and an error then.
  async stop(signal = "SIGTERM", timeoutMs = 20000) {
    this.child.kill(signal);
    const end = await Promise.race([this.#exited, sleep(timeoutMs, null, { ref: false })]);
    if (end) return end;
    this.child.kill("SIGKILL");
    await this.#exited;
    throw new Error(`${this.name} did not end within ${timeoutMs} ms after ${signal}: ${this.story()}`);
  }

  sanitizerReport() {
    const at = this.#stderr.search(SANITIZER);
    return at < 0 ? null : this.#stderr.slice(Math.max(0, at - 200), at + 6000);
  }

  story() {
    const end = this.end ? `exit ${JSON.stringify(this.end)}` : "running";
    return `${end}\n--- stdout\n${this.#stdout.slice(-2000)}\n--- stderr\n${this.#stderr.slice(-6000)}`;
  }
}

// Runs a program to its end; what it printed and how it ended.
export async function runProgram(name, file, args, options = {}) {
  const program = new Program(name, file, args, options);
  const timer = setTimeout(() => program.child.kill("SIGKILL"), options.timeoutMs ?? 60000);
  const end = await program.exited();
  clearTimeout(timer);
  return { ...end, stdout: program.stdout, stderr: program.stderr };
}

// The kernel hands out local ports from here on, to every connection and to who listens on port 0.
const firstEphemeral = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s+/)[0]);
const lowestPort = Math.min(10240, firstEphemeral - 1024);

const mayListen = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

// A port on which nobody listens, below those that the kernel hands out: another test file's connection cannot take it
// before the program that it is for.
export async function freePort() {
  for (;;) {
    const port = randomInt(lowestPort, firstEphemeral);
    if (await mayListen(port)) return port;
  }
}

// Asks `question` until it answers something true; throws `what` when it does not in time.
export async function eventually(what, question, timeoutMs = 10000, stepMs = 25) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const answer = await question();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what} (last: ${last?.message ?? last})`);
    await sleep(stepMs);
  }
}
