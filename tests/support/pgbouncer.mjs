// SPDX-License-Identifier: Apache-2.0
// A pgbouncer in transaction mode in front of a cluster, with two server connections for everybody, so that the statements
// of one client meet different ones.
import { execFileSync } from "node:child_process";
import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "./serve.mjs";
import { freePort, Program } from "./process.mjs";

export class Pgbouncer {
  #file;
  #identity = {};

  static async start(cluster, directory) {
    const bouncer = new Pgbouncer();
    bouncer.port = await freePort();
    bouncer.#file = join(directory, "pgbouncer.ini");
    writeFileSync(bouncer.#file, `[databases]
* = host=${cluster.socketDirectory} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${bouncer.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`);
    if (isRoot) {
      const id = (flag) => Number(execFileSync("id", [flag, "postgres"]));
      bouncer.#identity = { uid: id("-u"), gid: id("-g") };
      chownSync(bouncer.#file, bouncer.#identity.uid, bouncer.#identity.gid);
    }
    await bouncer.resume();
    return bouncer;
  }

  async resume() {
    this.program = new Program("pgbouncer", "/usr/sbin/pgbouncer", [this.#file], this.#identity);
    await this.program.waitForLog(/process up/);
  }

  url(database) { return `postgresql://postgres@127.0.0.1:${this.port}/${database}`; }

  stop(signal = "SIGINT") { return this.program.stop(signal); }
}
