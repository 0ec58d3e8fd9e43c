// SPDX-License-Identifier: Apache-2.0
// The two ways in which tests speak HTTP: a plain exchange that follows no redirect and keeps no connection, and a
// raw socket for what no client library would send.
import http from "node:http";
import https from "node:https";
import net from "node:net";

// A certificate authority of the tests' own that every later exchange trusts.
let ownAuthority;
export function trustAuthority(pem) { ownAuthority = pem; }

// One exchange. `body` is sent as it is (string or Buffer).
export function exchange(method, url, { headers = {}, body = null, timeoutMs = 30000, ca = ownAuthority, signal } = {}) {
  const target = new URL(url);
  const library = target.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const options = { method, agent: false, headers: { ...headers }, ca, signal };
    if (body !== null && !Object.keys(headers).some((name) => name.toLowerCase() === "content-length"))
      options.headers["Content-Length"] = Buffer.byteLength(body);
    const request = library.request(target, options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({
        status: response.statusCode,
        headers: response.headers,
        rawHeaders: response.rawHeaders,
        bytes: Buffer.concat(chunks),
        text: Buffer.concat(chunks).toString("utf8"),
      }));
    });
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`${method} ${url}: no answer in ${timeoutMs} ms`)));
    request.on("error", reject);
    request.end(body ?? undefined);
  });
}

// A socket under the test's own control.
export class RawConnection {
  #received = Buffer.alloc(0);
  closed = false;

  static async open(base) {
    const { hostname, port } = new URL(base);
    const connection = new RawConnection();
    connection.socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    connection.socket.on("data", (chunk) => (connection.#received = Buffer.concat([connection.#received, chunk])));
    connection.socket.on("close", () => (connection.closed = true));
    connection.socket.on("error", () => {});
    await new Promise((resolve, reject) => {
      connection.socket.once("connect", resolve);
      connection.socket.once("error", reject);
    });
    return connection;
  }

  get received() { return this.#received.toString("latin1"); }

  send(text) {
    if (!this.socket.destroyed) this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  end() { this.socket.destroy(); }

  // Waits until the peer has closed, or `count` whole answers with a Content-Length are there.
  async answers({ count = Infinity, timeoutMs = 10000 } = {}) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const parsed = parseAnswers(this.#received);
      if (parsed.length >= count || this.closed) return parsed;
      if (Date.now() > deadline) throw new Error(`the connection stayed open for ${timeoutMs} ms; got ${JSON.stringify(this.received)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

// The answers that are whole in `bytes`. Interim answers (1xx) and 204 and 304 have no body.
export function parseAnswers(bytes) {
  const answers = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end < 0) return answers;
    const [statusLine, ...lines] = bytes.subarray(at, end).toString("latin1").split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const bodiless = status < 200 || status === 204 || status === 304;
    const length = bodiless ? 0 : Number(headers["content-length"] ?? bytes.length - end - 4);
    if (bytes.length < end + 4 + length) return answers;
    answers.push({ status, headers, text: bytes.subarray(end + 4, end + 4 + length).toString("utf8") });
    at = end + 4 + length;
  }
}
