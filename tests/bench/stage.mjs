// SPDX-License-Identifier: Apache-2.0
// What the measurements stand on: a PostgreSQL that waits for its disk, the demonstration provider, the service in its
// default configuration, ten thousand users, and the ceiling. close() stops whatever was started.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exchange } from "../support/http.mjs";
import { eventually, freePort, Program, runProgram } from "../support/process.mjs";
import { DemoProvider } from "../support/provider.mjs";

const QUERIES = fileURLToPath(new URL("../../schema/queries", import.meta.url));

// The service's own default: twice the cores, at least 4.
const CONNECTIONS = Math.max(4, 2 * availableParallelism());

export const OWNERS = 500; // owner-0001 …, whose links the service can open
export const WIDE = ["wide-1", "wide-2", "wide-3", "wide-4"];

// Ten thousand users, 200 templates and 40 000 links make the indexes as deep as a company's. The bulk's links are at
// providers that are no longer configured, so nothing needs to open them; guests have no other.
const users = (prefix, count) =>
  `INSERT INTO users (id, username) SELECT gen_random_uuid(), '${prefix}-' || to_char(n, 'FM0000') FROM generate_series(1, ${count}) n`;
const FILL = [
  users("owner", OWNERS), users("guest", OWNERS), users("user", 10000 - 2 * OWNERS),
  `INSERT INTO links (owner_id, provider_id, access_token)
     SELECT u.id, 'old-' || n, decode(repeat('00', 68), 'hex') FROM users u, generate_series(1, 4) n WHERE NOT u.is_system`,
  `WITH bulk AS MATERIALIZED (SELECT gen_random_uuid() AS id, gen_random_uuid() AS version_id, n FROM generate_series(1, 200) n),
     named AS (INSERT INTO templates (id, name, active_version_id) SELECT id, 'bulk-' || n, version_id FROM bulk)
     INSERT INTO template_versions (id, template_id, ordinal, external_auth)
     SELECT version_id, id, 1, '[{"id": "old-1"}, {"id": "old-2"}]' FROM bulk`,
  "VACUUM ANALYZE",
];

function postgresBinaries() {
  const base = "/usr/lib/postgresql";
  const [newest] = readdirSync(base).filter((name) => /^[0-9]+$/.test(name)).sort((a, b) => b - a);
  return join(base, newest, "bin");
}

// PostgreSQL refuses to run as root, so root runs it as its own user.
function postgresIdentity() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function must(file, args, options = {}) {
  const end = await runProgram(file, file, args, { env: process.env, ...options });
  if (end.code !== 0) throw new Error(`${file} failed: ${end.error ?? end.stderr}`);
  return end.stdout;
}

// Does `work` for 1 … count, 16 at a time.
async function forEach(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(++next);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

export const ownerName = (number) => `owner-${String(number).padStart(4, "0")}`;

export class Stage {
  #running = []; // [program, the signal that ends it]
  folder = mkdtempSync(join(tmpdir(), "ghbench-"));
  templates = {};

  async open() {
    await this.#startPostgres();
    this.provider = await DemoProvider.start();
    this.#running.push([this.provider.program, "SIGTERM"]);
    await this.#startService();
    return this;
  }

  async close() {
    for (const [program, signal] of this.#running.reverse()) if (!program.end) await program.stop(signal);
    rmSync(this.folder, { recursive: true, force: true });
  }

  // Checkpoints are kept out: one would fall on one run and not on another. All else is PostgreSQL's default.
  async #startPostgres() {
    const identity = { ...postgresIdentity(), cwd: this.folder };
    const binaries = postgresBinaries();
    if (identity.uid !== undefined) chownSync(this.folder, identity.uid, identity.gid);
    await must(join(binaries, "initdb"), ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", "data"], identity);
    const settings = [`unix_socket_directories=${this.folder}`, "listen_addresses=", "max_wal_size=8GB", "checkpoint_timeout=1h"];
    const program = new Program("postgres", join(binaries, "postgres"),
      ["-D", "data", ...settings.flatMap((setting) => ["-c", setting])], { ...identity, killSignal: "SIGQUIT" });
    this.#running.push([program, "SIGINT"]);
    this.databaseUrl = `postgresql:///postgres?host=${encodeURIComponent(this.folder)}&user=postgres`;
    await eventually("PostgreSQL answers", () => this.sql("SELECT 1"), 30000);
  }

  async sql(...statements) {
    const commands = statements.flatMap((statement) => ["-c", statement]);
    return (await must("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", this.databaseUrl, ...commands])).trim();
  }

  // `plain` has no validate URL; `slow` and the wide ones are asked at each create.
  #providers() {
    const plain = this.provider.configure("plain", { validate_url: undefined });
    return [plain, ...["slow", ...WIDE].map((id) => this.provider.configure(id))];
  }

  async #startService() {
    const adminPort = await freePort();
    const token = randomBytes(32).toString("base64url");
    this.tokenFile = join(this.folder, "token");
    writeFileSync(this.tokenFile, token, { mode: 0o600 });
    this.headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const env = {
      PATH: process.env.PATH,
      GATEHOUSE_HTTP_ADDRESS: "127.0.0.1:0",
      GATEHOUSE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      GATEHOUSE_STATE_DIR: join(this.folder, "state"),
      GATEHOUSE_PG_CONNECTION_URL: this.databaseUrl,
      GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: randomBytes(32).toString("base64"),
      GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: this.tokenFile,
    };
    this.#providers().forEach((provider, index) => {
      for (const [name, value] of Object.entries(provider))
        if (value !== undefined) env[`GATEHOUSE_EXTERNAL_AUTH_${index}_${name.toUpperCase()}`] = String(value);
    });
    // Its log goes to a file, as an operator's would: reading it here would slow down what is measured.
    this.logFile = join(this.folder, "service.log");
    const command = ["-c", 'exec "$0" serve 2>"$1"', process.env.GATEHOUSE_BIN, this.logFile];
    this.service = new Program("gatehouse", "/bin/sh", command, { env });
    this.#running.push([this.service, "SIGTERM"]);
    [, this.serviceUrl] = await this.service.waitFor(/^gatehouse: listening on (\S+)$/m).catch((error) => {
      throw new Error(`${error.message}\n${readFileSync(this.logFile, "utf8").slice(-4000)}`);
    });
    this.adminUrl = `http://127.0.0.1:${adminPort}`;
  }

  async request(status, method, path, body) {
    const sent = body === undefined ? null : JSON.stringify(body);
    const answer = await exchange(method, `${this.serviceUrl}${path}`, { headers: this.headers, body: sent, timeoutMs: 60000 });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer;
  }

  async metrics() {
    return (await exchange("GET", `${this.adminUrl}/metrics`)).text;
  }

  // MiB that are resident now.
  residentMib() {
    const status = readFileSync(`/proc/${this.service.pid}/status`, "utf8");
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)[1]) / 1024;
  }

  // Seconds of CPU that a program has used so far: columns 14 and 15, counted behind the name, in hundredths.
  static cpuSeconds(program) {
    const columns = readFileSync(`/proc/${program.pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(columns[11]) + Number(columns[12])) / 100;
  }

  create(owner, template, name) {
    return this.request(201, "POST", `/api/v2/users/${owner}/workspaces`, { name, template_id: this.templates[template].id });
  }

  async #link(owner, provider) {
    const { access_token } = await this.provider.mint(provider, { login: owner });
    await this.request(204, "PUT", `/api/v2/users/${owner}/external-auth/${provider}`, { access_token });
  }

  // Rows in bulk by SQL; what the service must be able to open through its API.
  async fill() {
    await this.sql(...FILL);
    for (const [name, providers] of Object.entries({ plain: ["plain"], slow: ["slow"], wide: WIDE })) {
      const external_auth = providers.map((id) => ({ id, optional: false }));
      this.templates[name] = JSON.parse((await this.request(201, "POST", "/api/v2/templates", { name, external_auth })).text);
    }
    await forEach(OWNERS, async (number) => {
      for (const provider of ["plain", "slow"]) await this.#link(ownerName(number), provider);
    });
    for (const provider of WIDE) await this.#link(ownerName(1), provider);
  }

  // `sizes` are the bytes of the service's own answers.
  async startCeiling(sizes) {
    const { id, active_version_id } = this.templates.plain;
    // As many workers as the service has threads for requests.
    const threads = readdirSync(`/proc/${this.service.pid}/task`).length;
    const options = {
      url: this.databaseUrl, queries: QUERIES, template: id, version: active_version_id, provider: "plain",
      connections: CONNECTIONS, threads, run: `c${randomBytes(2).toString("hex")}`,
      "create-bytes": sizes.create, "check-bytes": sizes.refusal, "read-bytes": sizes.preflight,
    };
    this.ceiling = new Program("ceiling", process.env.GATEHOUSE_CEILING, Object.entries(options).map(([name, value]) => `--${name}=${value}`));
    this.#running.push([this.ceiling, "SIGTERM"]);
    [, this.ceilingUrl] = await this.ceiling.waitFor(/^ceiling: listening on (\S+)$/m);
  }
}
