// SPDX-License-Identifier: Apache-2.0
// One person's command line: a home of their own, and the file of logins in it.
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Program, runProgram } from "./process.mjs";
import { temporaryDirectory } from "./serve.mjs";

export const lockName = (issuer, profile = "default") =>
  `refresh-${createHash("sha256").update(["v1", issuer, "gatehouse-cli", profile].join("\0")).digest("hex")}.lock`;

export class Person {
  constructor({ environment = {}, identity = {}, file = process.env.GATEHOUSE_BIN } = {}) {
    this.home = temporaryDirectory("ghcli-");
    this.directory = join(this.home, ".local/state/gatehouse");
    this.tokenFile = join(this.directory, "tokens.json");
    Object.assign(this, { extra: environment, identity, file });
  }

  environment(more = {}) {
    const all = {
      PATH: "/usr/bin:/bin", HOME: this.home, TZ: "UTC", ASAN_OPTIONS: "detect_leaks=1", ...this.extra, ...more,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  run(args, { environment, timeoutMs = 60000, ...options } = {}) {
    return runProgram(`gatehouse ${args[0]}`, this.file, args, { env: this.environment(environment), ...this.identity, timeoutMs, ...options });
  }

  // With something on stdin, or under another program: `before` is its command line.
  shell(script, args, { environment } = {}) {
    return runProgram("sh", "/bin/bash", ["-c", script, this.file, ...args], { env: this.environment(environment), ...this.identity });
  }

  start(args, { environment } = {}) {
    return new Program(`gatehouse ${args[0]}`, this.file, args, { env: this.environment(environment), ...this.identity });
  }

  read() { return JSON.parse(readFileSync(this.tokenFile, "utf8")); }
  login(index = 0) { return this.read().logins[index]; }
  hasFile() { return existsSync(this.tokenFile); }
  mode() { return statSync(this.tokenFile).mode & 0o777; }

  // Puts a login there as if it had been made before.
  write(text, mode = 0o600) {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    writeFileSync(this.tokenFile, typeof text === "string" ? text : JSON.stringify(text), { mode });
    chmodSync(this.tokenFile, mode);
  }

  seed(server, { expired = true, ...fields } = {}) {
    const { access_token, refresh_token } = server.mint();
    const at = (offsetS) => new Date(Date.now() + offsetS * 1000).toISOString();
    const login = {
      issuer: server.url, client_id: "gatehouse-cli", profile: "default", store: "file", access_token, refresh_token,
      issued_at: at(-900), expires_at: at(expired ? -1 : 800), generation: 1, needs_login: false, ...fields,
    };
    this.write({ version: 1, current: { issuer: login.issuer, profile: login.profile }, logins: [login] });
    return login;
  }
}
