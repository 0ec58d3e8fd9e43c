// SPDX-License-Identifier: Apache-2.0
// The one command of a newcomer: gate/quickstart in a copy of the tree, as somebody who has just cloned it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, statSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, Program, runProgram } from "../support/process.mjs";
import { processes, temporaryDirectory } from "../support/serve.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url));
const directory = temporaryDirectory();
const tree = join(directory, "gatehouse");
// What YAML and the shell read differently unless it is quoted.
const stateDirectory = join(directory, "a state #1");

// What git knows and what it does not ignore: a newcomer's tree, with the changes that are being tested.
for (const path of execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: top, encoding: "utf8" }).split("\0")) {
  if (path === "" || !statSync(join(top, path), { throwIfNoEntry: false })?.isFile()) continue;
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  cpSync(join(top, path), join(tree, path));
}

// A port that somebody has.
async function occupy(t) {
  const server = net.createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  return server.address().port;
}

async function tour({ port, args = ["--tour-only"], timeoutMs = 170000 } = {}) {
  const environment = { ...process.env, QUICKSTART_STATE_DIR: stateDirectory, ...(port ? { QUICKSTART_PORT: String(port) } : {}) };
  delete environment.GATEHOUSE_BIN;
  const begun = Date.now();
  const outcome = await runProgram("quickstart", join(tree, "gate/quickstart"), args, { cwd: directory, env: environment, timeoutMs });
  return { ...outcome, tookMs: Date.now() - begun };
}

const statuses = (stdout) => [...stdout.matchAll(/<- (\d{3})/g)].map(([, status]) => Number(status));
const nothingIsLeft = () => eventually("nothing is left running", () => {
  const left = processes().filter(({ command }) => command.includes(directory));
  return left.length === 0 || assert.fail(JSON.stringify(left));
}, 10000, 50);

test("--help explains, a wrong option is refused", async () => {
  const help = await tour({ args: ["--help"] });
  assert.equal(help.code, 0);
  for (const word of ["--tour-only", "QUICKSTART_STATE_DIR", "QUICKSTART_PORT"]) assert.ok(help.stdout.includes(word), word);
  assert.equal((await tour({ args: ["--tuor"] })).code, 2);
});

test("the first run builds, shows 403, connects, shows 201, and ends", async () => {
  const { code, stdout, stderr } = await tour();
  assert.equal(code, 0, `${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  const seen = statuses(stdout);
  const refused = seen.indexOf(403);
  const linkUrl = seen.indexOf(201, refused + 1);
  const created = seen.lastIndexOf(201);
  assert.ok(refused >= 0 && linkUrl > refused && created > linkUrl, `403, 201, 201 in ${seen}`);
  assert.match(stdout, /"code": "external_auth_required"/);
  assert.match(stdout, /"field": "external_auth",\s+"detail": "github"/);
  assert.match(stdout, /"latest_build"/);
  assert.doesNotMatch(stdout, /ticket=(?!\.\.\.)/, "no ticket is shown");
  await nothingIsLeft();
});

test("the second run reuses what the first made", async () => {
  const made = statSync(join(tree, "build/release/gate/gatehouse")).mtimeMs;
  const { code, stdout, stderr, tookMs } = await tour();
  assert.equal(code, 0, `${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  assert.equal(statSync(join(tree, "build/release/gate/gatehouse")).mtimeMs, made, "nothing is built again");
  assert.match(stdout, /GET \/api\/v2\/users\/alice[\s\S]*?<- 200/, "alice is there already");
  assert.doesNotMatch(stdout, /POST \/api\/v2\/users /, "and is not made again");
  assert.ok(tookMs < 60000, `${tookMs} ms`);
  await nothingIsLeft();
});

test("with its port taken it takes another", async (t) => {
  const port = await occupy(t);
  const { code, stdout, stderr } = await tour({ port });
  assert.equal(code, 0, `${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  assert.match(stdout, /Gatehouse: http:\/\/127\.0\.0\.1:\d+/);
  assert.ok(!stdout.includes(`Gatehouse: http://127.0.0.1:${port},`), "not the port that is taken");
  await nothingIsLeft();
});

test("without an option it stays up, and what it says to try next works", async () => {
  const environment = { ...process.env, QUICKSTART_STATE_DIR: stateDirectory };
  delete environment.GATEHOUSE_BIN;
  const quickstart = new Program("quickstart", join(tree, "gate/quickstart"), [], { cwd: directory, env: environment, killSignal: "SIGTERM" });
  await quickstart.waitFor(/Ctrl-C stops everything/, 170000);
  const next = quickstart.stdout.slice(quickstart.stdout.indexOf("To try next:")).split("\n").filter((line) => line.startsWith("  "));
  const quiet = next.join("\n").replaceAll("curl ", "curl -sS --fail-with-body ");
  const tried = await runProgram("bash", "/bin/bash", ["-e", "-o", "pipefail", "-c", quiet]);
  assert.equal(tried.code, 0, `${quiet}\n${tried.stdout}\n${tried.stderr}`);
  assert.match(tried.stdout, /"links"[\s\S]*"templates"/);
  assert.equal((await quickstart.stop("SIGTERM")).code, 143);
  await nothingIsLeft();
});
