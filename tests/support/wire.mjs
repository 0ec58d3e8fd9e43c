// SPDX-License-Identifier: Apache-2.0
// A wire between one process and PostgreSQL that a test can cut: everywhere, or around the one statement that it names,
// before the server has seen it or after the server has carried it out. Statements are found by their text, so the process
// must send it each time (GATEHOUSE_PG_PREPARE=off).
import net from "node:net";
import { join } from "node:path";
import { temporaryDirectory } from "./serve.mjs";

export class Wire {
  #server;
  #pairs = new Set();
  #isCut = false;
  #plan = null; // {pattern, lose, done}

  static async open(cluster) {
    const wire = new Wire();
    wire.directory = temporaryDirectory("ghwire-");
    const name = `.s.PGSQL.${cluster.port ?? 5432}`;
    wire.#server = net.createServer((client) => wire.#connect(client, join(cluster.socketDirectory, name)));
    await new Promise((resolve) => wire.#server.listen(join(wire.directory, name), resolve));
    wire.#server.unref();
    return wire;
  }

  url(database) {
    return `postgresql:///${database}?host=${encodeURIComponent(this.directory)}&user=postgres`;
  }

  #connect(client, path) {
    client.on("error", () => {});
    if (this.#isCut) return client.destroy();
    const server = net.connect(path);
    const pair = { client, server, isLost: false };
    this.#pairs.add(pair);
    const end = () => this.#end(pair);
    server.on("error", () => {}).on("close", end);
    client.on("close", end);
    client.on("data", (bytes) => this.#forth(pair, bytes));
    server.on("data", (bytes) => (pair.isLost ? this.#lost(pair) : client.write(bytes)));
    return pair;
  }

  #end(pair) {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  #lost(pair) {
    this.#end(pair);
    const { done } = this.#plan;
    this.#plan = null;
    done();
  }

  // The statement comes in one piece: it is small.
  #forth(pair, bytes) {
    const isNamed = this.#plan !== null && !pair.isLost && this.#plan.pattern.test(bytes.toString("latin1"));
    if (isNamed && this.#plan.lose === "statement") return this.#lost(pair);
    pair.isLost ||= isNamed;
    return pair.server.write(bytes);
  }

  // The next statement that matches is lost on its way (`lose` "statement"), or carried out and its answer lost
  // ("answer"). Gives a promise that is kept when that has happened.
  lose(lose, pattern) {
    return new Promise((done) => (this.#plan = { lose, pattern, done }));
  }

  cut() {
    this.#isCut = true;
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  mend() { this.#isCut = false; }
}
