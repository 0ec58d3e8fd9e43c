// SPDX-License-Identifier: Apache-2.0
// A small Gatehouse for its own command line, in this process: the device grant, rotating refresh tokens with reuse
// detection, revocation, and the few API calls a login is tried with. It does by default what RFC 8628 and RFC 6749 ask,
// counts everything, and misbehaves as a test says.
import http from "node:http";
import { randomBytes } from "node:crypto";
import { after } from "node:test";

const newToken = (prefix) => prefix + randomBytes(32).toString("base64url");

export class LoginServer {
  requests = []; // {method, path, form, authorization, at, key}
  accessTokens = new Map(); // token → family
  refreshTokens = new Map(); // token → {family, used, successor}
  revoked = new Set(); // families
  polls = 0;
  interval = 1;
  expiresIn = 900; // of codes
  accessLifetime = 900;
  pendingPolls = 0; // so many polls are answered authorization_pending
  graceMs = 60000;
  // Called with (request, answer) before the ordinary answer of a path; true says that it has been dealt with.
  intercept = {};

  static async start() {
    const server = new LoginServer();
    server.sockets = new Set();
    server.listener = http.createServer((request, response) => server.#receive(request, response));
    server.listener.on("connection", (socket) => {
      server.sockets.add(socket);
      socket.on("close", () => server.sockets.delete(socket));
    });
    await new Promise((resolve) => server.listener.listen(0, "127.0.0.1", resolve));
    server.url = `http://127.0.0.1:${server.listener.address().port}`;
    return server;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  count(path, grant) {
    return this.requests.filter((each) => each.path === path && (!grant || each.form.get("grant_type") === grant)).length;
  }
  refreshes() { return this.count("/oauth2/token", "refresh_token"); }
  times(path) { return this.requests.filter((each) => each.path === path).map(({ at }) => at); }

  mint(family = newToken("family-")) {
    const access_token = newToken("gh_");
    const refresh_token = newToken("ghr_");
    this.accessTokens.set(access_token, family);
    this.refreshTokens.set(refresh_token, { family });
    return { access_token, refresh_token, token_type: "Bearer", expires_in: this.accessLifetime };
  }

  static async #body(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  async #receive(request, response) {
    const text = await LoginServer.#body(request);
    const path = request.url.split("?")[0];
    const isForm = request.headers["content-type"] === "application/x-www-form-urlencoded";
    const asked = {
      method: request.method, path, url: request.url, text, at: Date.now(), form: new URLSearchParams(isForm ? text : ""),
      authorization: request.headers.authorization, agent: request.headers["user-agent"], key: request.headers["idempotency-key"],
    };
    this.requests.push(asked);
    const answer = (status, body, headers = {}) => {
      if (response.destroyed) return;
      response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    answer.drop = () => request.socket.destroy();
    try {
      if (await this.intercept[path]?.(asked, answer)) return;
      this.#answer(asked, answer);
    } catch (error) {
      answer(500, { message: String(error), code: "internal" });
    }
  }

  #answer(asked, answer) {
    const { form } = asked;
    switch (asked.path) {
      case "/oauth2/device_authorization":
        this.deviceCode = newToken("ghd_");
        return answer(200, this.deviceAnswer({}));
      case "/oauth2/token":
        return form.get("grant_type") === "refresh_token" ? this.refresh(asked, answer) : this.poll(asked, answer);
      case "/oauth2/revoke": {
        const known = this.refreshTokens.get(form.get("token"));
        if (known) this.revoked.add(known.family);
        return answer(200, {});
      }
      default:
        return this.#api(asked, answer);
    }
  }

  deviceAnswer(fields) {
    return {
      device_code: this.deviceCode, user_code: "WXYZ-2345", verification_uri: `${this.url}/device`,
      verification_uri_complete: `${this.url}/device?user_code=WXYZ-2345`, expires_in: this.expiresIn, interval: this.interval, ...fields,
    };
  }

  poll({ form }, answer) {
    this.polls++;
    if (form.get("device_code") !== this.deviceCode) return answer(400, { error: "invalid_grant" });
    if (this.polls <= this.pendingPolls) return answer(400, { error: "authorization_pending" });
    return answer(200, this.mint());
  }

  // Rotates; the same token within the grace gets the same successor while that is unused, later or used: the family ends.
  refresh({ form }, answer) {
    const known = this.refreshTokens.get(form.get("refresh_token"));
    if (!known || this.revoked.has(known.family)) return answer(400, { error: "invalid_grant" });
    if (known.successor) {
      if (this.refreshTokens.get(known.successor.refresh_token).used || Date.now() - known.at > this.graceMs) {
        this.revoked.add(known.family);
        return answer(400, { error: "invalid_grant", error_description: "reuse" });
      }
      return answer(200, known.successor);
    }
    known.used = true;
    known.at = Date.now();
    known.successor = this.mint(known.family);
    return answer(200, known.successor);
  }

  #api(asked, answer) {
    const family = this.accessTokens.get(asked.authorization?.replace(/^Bearer /, ""));
    if (!family || this.revoked.has(family)) return answer(401, { message: "No.", code: "unauthenticated" }, { "WWW-Authenticate": "Bearer" });
    for (const each of this.refreshTokens.values())
      if (each.successor?.access_token === asked.authorization.slice(7)) this.refreshTokens.get(each.successor.refresh_token).used = true;
    if (asked.path === "/api/v2/users/me") return answer(200, { id: "u", username: "alice", roles: ["member"] });
    const [, provider] = asked.path.match(/^\/api\/v2\/users\/me\/external-auth\/([^/]+)\/token$/) ?? [];
    if (provider) {
      const access_token = `token-of-${provider}`;
      return answer(200, { access_token, expires_at: null, type: "demo", username: "oauth2", password: access_token });
    }
    return answer(404, { message: "There is nothing here.", code: "not_found" });
  }
}

const running = [];
after(() => Promise.all(running.map((server) => server.stop())));

// A server for one case, which ends with the test file; `fields` change its defaults.
export async function newServer(fields = {}) {
  const server = Object.assign(await LoginServer.start(), fields);
  running.push(server);
  return server;
}
