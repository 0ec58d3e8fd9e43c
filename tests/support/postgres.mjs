// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL cluster of the tests' own, on a Unix socket in a temporary directory, without waiting for disks. One
// cluster serves a whole run when GATEHOUSE_TEST_PG names its socket directory; each test file has its own database.
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { eventually, Program, runProgram } from "./process.mjs";

function findBinaries() {
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).filter((name) => /^[0-9]+$/.test(name)) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (!newest) throw new Error(`no PostgreSQL under ${base}; install the package postgresql`);
  return join(base, newest, "bin");
}

// PostgreSQL refuses to run as root, so root runs it as its own user.
function findIdentity() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

const binaries = findBinaries();
const identity = findIdentity();
const quote = (name) => `"${name.replaceAll('"', '""')}"`;
let databaseCount = 0;

export class Cluster {
  #program = null;
  #directory;

  constructor(socketDirectory, directory = null, port = null) {
    this.socketDirectory = socketDirectory;
    this.#directory = directory;
    this.port = port;
  }

  // A new cluster, running. With `port` it listens on the loopback as well.
  static async start({ port = null } = {}) {
    const directory = mkdtempSync(join(tmpdir(), "ghpg-"));
    if (identity.uid !== undefined) chownSync(directory, identity.uid, identity.gid);
    const cluster = new Cluster(directory, directory, port);
    const initdb = await runProgram("initdb", join(binaries, "initdb"),
      ["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", join(directory, "data")],
      { ...identity, cwd: directory });
    if (initdb.code !== 0) throw new Error(`initdb failed: ${initdb.stderr}`);
    await cluster.resume();
    return cluster;
  }

  // The cluster of this run, or a new one when the run has none.
  static async share() {
    const socketDirectory = process.env.GATEHOUSE_TEST_PG;
    return socketDirectory ? new Cluster(socketDirectory) : Cluster.start();
  }

  async resume() {
    const listen = this.port ? ["-c", "listen_addresses=127.0.0.1", "-c", `port=${this.port}`] : ["-c", "listen_addresses="];
    this.#program = new Program("postgres", join(binaries, "postgres"), [
      "-D", join(this.#directory, "data"), "-c", `unix_socket_directories=${this.socketDirectory}`, ...listen,
      "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
      "-c", "shared_buffers=32MB", "-c", "max_wal_size=2GB", "-c", "autovacuum=off",
    ], { ...identity, cwd: this.#directory, killSignal: "SIGQUIT" });
    await eventually("PostgreSQL answers", async () => {
      if (this.#program.end) throw new Error(this.#program.story());
      await this.query("postgres", "SELECT 1");
      return true;
    }, 30000);
  }

  // Takes the server away from under its clients; the data stays for resume().
  async pause() {
    await this.#program.stop("SIGINT");
    this.#program = null;
  }

  // kill -9 of the postmaster, as when a machine loses it; resume() recovers. Its children find out by themselves, and
  // nobody may start the cluster before the last of them has gone.
  async crash() {
    const { pid } = this.#program;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    await this.#program.stop("SIGKILL");
    this.#program = null;
    await eventually("the postmaster's children have gone", () => children.every((child) => !existsSync(`/proc/${child}`)), 20000);
  }

  // Ends a cluster that this process started; a shared one stays for its owner.
  async stop() {
    if (this.#program) await this.#program.stop("SIGINT");
    this.#program = null;
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
  }

  url(database) {
    const port = this.port ? `&port=${this.port}` : "";
    return `postgresql:///${database}?host=${encodeURIComponent(this.socketDirectory)}&user=postgres${port}`;
  }

  async createDatabase() {
    const name = `t${process.pid}_${++databaseCount}`;
    await this.query("postgres", `CREATE DATABASE ${quote(name)}`);
    return name;
  }

  // One connection a call: tests ask seldom, and a kept connection would hinder an outage.
  async query(database, text, values = []) {
    const client = new pg.Client({ host: this.socketDirectory, port: this.port ?? 5432, user: "postgres", database });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  // Rows of every table, by name; those whose name matches `except` are left out.
  async countRows(database, except = /decision/) {
    const tables = await this.query(database, `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`);
    const counted = tables.map(({ name }) => name).filter((name) => !except.test(name));
    if (counted.length === 0) return {};
    const columns = counted.map((name, index) => `(SELECT count(*)::int FROM ${name}) AS c${index}`);
    const [row] = await this.query(database, `SELECT ${columns.join(", ")}`);
    return Object.fromEntries(counted.map((name, index) => [name, row[`c${index}`]]));
  }

  async dump(database) {
    const port = this.port ? ["-p", String(this.port)] : [];
    const dumped = await runProgram("pg_dump", join(binaries, "pg_dump"),
      ["-h", this.socketDirectory, ...port, "-U", "postgres", "--inserts", database]);
    if (dumped.code !== 0) throw new Error(`pg_dump failed: ${dumped.stderr}`);
    return dumped.stdout;
  }
}
