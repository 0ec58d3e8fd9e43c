// SPDX-License-Identifier: Apache-2.0
// `gatehouse access-token` with a login that is good, as a shell starts it, against a process that does nothing and one
// request that is made bare.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exchange } from "../support/http.mjs";
import { median } from "./wrk.mjs";

function run(args, env) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.env.GATEHOUSE_BIN, args, { env, stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code) => {
      const took = performance.now() - began;
      code === 0 ? resolve(took) : reject(new Error(`gatehouse ${args.join(" ")} ended with ${code}`));
    });
  });
}

async function requestMs(service, path) {
  const began = performance.now();
  assert.equal((await exchange("GET", `${service.url}${path}`, { headers: service.headers })).status, 200);
  return performance.now() - began;
}

// A login whose access token is the service's own token: {bare, tool} in ms, `count` turns of each.
export async function accessToken(service, folder, count) {
  await service.link("admin", "plain");
  const state = join(folder, "cli/gatehouse");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const soon = (offsetS) => new Date(Date.now() + offsetS * 1000).toISOString();
  const login = {
    issuer: service.url, client_id: "gatehouse-cli", profile: "default", store: "file", access_token: readFileSync(service.tokenFile, "utf8"),
    refresh_token: "ghr_unused", issued_at: soon(0), expires_at: soon(3600), generation: 1, needs_login: false,
  };
  const current = { issuer: login.issuer, profile: login.profile };
  writeFileSync(join(state, "tokens.json"), JSON.stringify({ version: 1, current, logins: [login] }), { mode: 0o600 });
  const env = { PATH: process.env.PATH, HOME: folder, XDG_STATE_HOME: join(folder, "cli") };
  const bare = [];
  const tool = [];
  for (let turn = 0; turn < count; turn++) {
    bare.push((await run(["--version"], env)) + (await requestMs(service, "/api/v2/users/me/external-auth/plain/token")));
    tool.push(await run(["access-token", "plain"], env));
  }
  return { bare: median(bare), tool: median(tool) };
}
