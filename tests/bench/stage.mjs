// SPDX-License-Identifier: Apache-2.0
// What the measurements stand on: a PostgreSQL that waits for its disk, the demonstration provider, the service in its
// default configuration (service.mjs), ten thousand users, and the ceiling. close() stops whatever was started.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, Program, runProgram } from "../support/process.mjs";
import { DemoProvider } from "../support/provider.mjs";
import { newKeys, Service } from "./service.mjs";

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

// `count` owners with a workspace of `version` each and a link at each of `providers`: of ten links one is expired for good,
// two can be renewed, three were confirmed, and one is not there.
const fleet = (prefix, count, version, providers) => [
  `INSERT INTO users (id, username) SELECT gen_random_uuid(), '${prefix}-' || to_char(n, 'FM000000') FROM generate_series(1, ${count}) n`,
  `INSERT INTO workspaces (id, owner_id, name, template_version_id)
     SELECT gen_random_uuid(), u.id, 'dev', '${version}' FROM users u WHERE u.username LIKE '${prefix}-%'`,
  `INSERT INTO links (owner_id, provider_id, access_token, refresh_token, expires_at, last_valid_at)
     SELECT u.id, p.id, decode(repeat('00', 68), 'hex'), CASE WHEN d.digit IN (2, 3, 4) THEN decode(repeat('00', 68), 'hex') END,
       CASE WHEN d.digit IN (1, 2, 3) THEN now() - interval '1 hour' END, CASE WHEN d.digit IN (4, 5, 6) THEN now() END
     FROM users u, unnest('{${providers}}'::text[]) p (id), LATERAL (SELECT abs(hashtext(u.username || p.id)) % 10) d (digit)
     WHERE u.username LIKE '${prefix}-%' AND d.digit > 0`,
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
export async function forEach(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(++next);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

const numbered = (prefix) => (number) => `${prefix}-${String(number).padStart(4, "0")}`;
export const ownerName = numbered("owner");
export const userName = numbered("user"); // those of the bulk, 1 … 9000

export class Stage {
  #running = []; // [program, the signal that ends it]
  folder = mkdtempSync(join(tmpdir(), "ghbench-"));

  // `holes` are the ids of providers that no other measurement needs.
  async open(holes) {
    this.holes = holes;
    await this.#startPostgres();
    // Each provider may be kept 64 connections, and those at a black hole do not come back soon.
    this.provider = await DemoProvider.start({ threads: 1024 });
    this.#running.push([this.provider.program, "SIGTERM"]);
    // The page to sign in on asks nobody; it is there only where signing in is set up.
    const signIn = { OIDC_ISSUER: this.provider.base, OIDC_CLIENT_ID: "bench", OIDC_CLIENT_SECRET: "bench" };
    this.service = await this.#startService("postgres", this.#providers(), { ...newKeys(), ...signIn });
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
    await eventually("PostgreSQL answers", () => this.sql("postgres", "SELECT 1"), 30000);
  }

  #databaseUrl(database) { return `postgresql:///${database}?host=${encodeURIComponent(this.folder)}&user=postgres`; }

  async sql(database, ...statements) {
    const commands = statements.flatMap((statement) => ["-c", statement]);
    return (await must("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", this.#databaseUrl(database), ...commands])).trim();
  }

  #plain() { return this.provider.configure("plain", { validate_url: undefined }); }

  // `plain` has no validate URL, nor has `expired`, whose links are refreshed; `cached` is asked once for each owner's
  // token; `slow`, the wide ones and the holes are asked at each create.
  #providers() {
    return [
      this.#plain(),
      this.provider.configure("expired", { validate_url: undefined }),
      this.provider.configure("cached", { preflight_max_age: "1h", gate_max_age: "1h" }),
      ...["slow", ...WIDE, ...this.holes].map((id) => this.provider.configure(id)),
    ];
  }

  async #startService(database, providers, settings) {
    const databaseUrl = this.#databaseUrl(database);
    const service = await Service.start({ name: database, folder: this.folder, databaseUrl, demo: this.provider, providers, settings });
    this.#running.push([service.program, "SIGTERM"]);
    return service;
  }

  // Rows in bulk by SQL; what the service must be able to open through its API.
  async fill() {
    await this.sql("postgres", ...FILL);
    const templates = { plain: ["plain"], expired: ["expired"], cached: ["cached"], slow: ["slow"], wide: WIDE };
    for (const [name, providers] of Object.entries(templates)) await this.service.addTemplate(name, providers);
    for (const hole of this.holes) await this.service.addTemplate(hole, [hole]);
    await forEach(OWNERS, async (number) => {
      for (const provider of ["plain", "cached", "slow"]) await this.service.link(ownerName(number), provider);
    });
    for (const provider of WIDE) await this.service.link(ownerName(1), provider);
  }

  // A template that `providers` are required by, and its owners.
  async fillFleet(prefix, count, providers) {
    await this.service.addTemplate(prefix, providers);
    await this.sql("postgres", ...fleet(prefix, count, this.service.templates[prefix].active_version_id, providers));
  }

  // Another service on a database of its own, filled for creates on `plain` whose links have both tokens.
  async startAnother(database, settings) {
    await this.sql("postgres", `CREATE DATABASE ${database}`);
    const service = await this.#startService(database, [this.#plain()], settings);
    await this.sql(database, ...FILL);
    await service.addTemplate("plain", ["plain"]);
    await forEach(OWNERS, (number) => service.linkRefreshable(ownerName(number), "plain"));
    return service;
  }

  // `sizes` are the bytes of the service's own answers.
  async startCeiling(sizes) {
    const { id, active_version_id } = this.service.templates.plain;
    // As many workers as the service has threads for requests.
    const threads = readdirSync(`/proc/${this.service.program.pid}/task`).length;
    const options = {
      url: this.#databaseUrl("postgres"), queries: QUERIES, template: id, version: active_version_id, provider: "plain",
      connections: CONNECTIONS, threads, run: `c${randomBytes(2).toString("hex")}`,
      "create-bytes": sizes.create, "check-bytes": sizes.refusal, "read-bytes": sizes.preflight, "verdict-bytes": sizes.verdict,
    };
    this.ceiling = new Program("ceiling", process.env.GATEHOUSE_CEILING, Object.entries(options).map(([name, value]) => `--${name}=${value}`));
    this.#running.push([this.ceiling, "SIGTERM"]);
    [, this.ceilingUrl] = await this.ceiling.waitFor(/^ceiling: listening on (\S+)$/m);
  }
}
