// SPDX-License-Identifier: Apache-2.0
// One service in its default configuration on one database, and what measurements ask of it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exchange } from "../support/http.mjs";
import { freePort, Program } from "../support/process.mjs";

const LONG_AGO = "2020-01-01T00:00:00Z";

// What a service that encrypts is started with; the other way is ALLOW_CLEARTEXT_TOKENS and no keys.
export const newKeys = () => ({ EXTERNAL_TOKEN_ENCRYPTION_KEYS: randomBytes(32).toString("base64") });
export const NO_KEYS = { ALLOW_CLEARTEXT_TOKENS: "true" };

export class Service {
  templates = {};

  // `name` tells its files in `folder` from those of another; `settings` are names without the prefix.
  static async start({ name, folder, databaseUrl, demo, providers, settings }) {
    const service = new Service();
    const adminPort = await freePort();
    const token = randomBytes(32).toString("base64url");
    service.demo = demo;
    service.tokenFile = join(folder, `${name}.token`);
    writeFileSync(service.tokenFile, token, { mode: 0o600 });
    service.headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    service.adminUrl = `http://127.0.0.1:${adminPort}`;
    const given = {
      HTTP_ADDRESS: "127.0.0.1:0",
      ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      STATE_DIR: join(folder, `${name}.state`),
      PG_CONNECTION_URL: databaseUrl,
      BOOTSTRAP_ADMIN_TOKEN_FILE: service.tokenFile,
      ...settings,
    };
    providers.forEach((provider, index) => {
      for (const [field, value] of Object.entries(provider))
        if (value !== undefined) given[`EXTERNAL_AUTH_${index}_${field.toUpperCase()}`] = String(value);
    });
    const env = { PATH: process.env.PATH };
    for (const [setting, value] of Object.entries(given)) env[`GATEHOUSE_${setting}`] = value;
    // Its log goes to a file, as an operator's would: reading it here would slow down what is measured.
    service.logFile = join(folder, `${name}.log`);
    const command = ["-c", 'exec "$0" serve 2>"$1"', process.env.GATEHOUSE_BIN, service.logFile];
    service.program = new Program("gatehouse", "/bin/sh", command, { env });
    [, service.url] = await service.program.waitFor(/^gatehouse: listening on (\S+)$/m).catch((error) => {
      throw new Error(`${error.message}\n${service.story()}`);
    });
    return service;
  }

  story() { return `${this.program.story()}\n--- log\n${readFileSync(this.logFile, "utf8").slice(-4000)}`; }

  async ask(method, path, body) {
    const sent = body === undefined ? null : JSON.stringify(body);
    return exchange(method, `${this.url}${path}`, { headers: this.headers, body: sent, timeoutMs: 60000 });
  }

  async request(status, method, path, body) {
    const answer = await this.ask(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer;
  }

  async metrics() {
    return (await exchange("GET", `${this.adminUrl}/metrics`)).text;
  }

  async inFlight() {
    return Number((await this.metrics()).match(/^gatehouse_http_requests_in_flight (\d+)/m)[1]);
  }

  // MiB that are resident now.
  residentMib() {
    const status = readFileSync(`/proc/${this.program.pid}/status`, "utf8");
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)[1]) / 1024;
  }

  async addTemplate(name, providers) {
    const external_auth = providers.map((id) => ({ id, optional: false }));
    this.templates[name] = JSON.parse((await this.request(201, "POST", "/api/v2/templates", { name, external_auth })).text);
  }

  tryCreate(owner, template, name) {
    return this.ask("POST", `/api/v2/users/${owner}/workspaces`, { name, template_id: this.templates[template].id });
  }

  async create(owner, template, name) {
    const answer = await this.tryCreate(owner, template, name);
    assert.equal(answer.status, 201, `a create on ${template}: ${answer.text}`);
    return answer;
  }

  async #import(owner, provider, given) {
    const minted = await this.demo.mint(provider, { login: owner });
    await this.request(204, "PUT", `/api/v2/users/${owner}/external-auth/${provider}`, given(minted));
  }

  link(owner, provider) {
    return this.#import(owner, provider, ({ access_token }) => ({ access_token }));
  }

  // A link with both tokens, good for an hour.
  linkRefreshable(owner, provider) {
    const expires_at = new Date(Date.now() + 3600 * 1000).toISOString();
    return this.#import(owner, provider, ({ access_token, refresh_token }) => ({ access_token, refresh_token, expires_at }));
  }

  // A link that must be refreshed before it is good for anything.
  linkExpired(owner, provider) {
    return this.#import(owner, provider, ({ access_token, refresh_token }) => ({ access_token, refresh_token, expires_at: LONG_AGO }));
  }
}
