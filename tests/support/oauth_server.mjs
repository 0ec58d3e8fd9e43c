// SPDX-License-Identifier: Apache-2.0
// An OAuth server that nobody here wrote (oidc-provider), in this process, on the loopback. Signing in and consenting
// need no page: a browser that follows redirects gets through, as `account` says and `decision` decides.
import http from "node:http";
import https from "node:https";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { exchange } from "./http.mjs";

// It says on every start that it would rather run on a newer node.
const warn = console.warn;
const info = console.info;
console.warn = console.info = () => {};
const { default: Provider } = await import("oidc-provider");
console.warn = warn;
console.info = info;

// Its own in-memory store forgets after a thousand entries.
class Store {
  constructor(server, model) { Object.assign(this, { server, model }); }
  #key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    this.server.rows.set(this.#key(id), { ...payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    this.server.issued.add(`${this.model}:${id}`);
  }
  async find(id) {
    const row = this.server.rows.get(this.#key(id));
    return row && row.until > Date.now() ? row : undefined;
  }
  async #findBy(name, value) {
    for (const [key, row] of this.server.rows) if (key.startsWith(`${this.model}:`) && row[name] === value) return row;
    return undefined;
  }
  findByUid(uid) { return this.#findBy("uid", uid); }
  findByUserCode(code) { return this.#findBy("userCode", code); }
  async consume(id) { this.server.rows.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { this.server.rows.delete(this.#key(id)); }
  async revokeByGrantId(grantId) {
    for (const [key, row] of this.server.rows) if (row.grantId === grantId) this.server.rows.delete(key);
  }
}

export class OAuthServer {
  rows = new Map();
  issued = new Set(); // "Model:value" of whatever was ever stored
  requests = []; // {method, path, status, auth, parameters}
  account = "alice";
  decision = "approve";
  people = {}; // account → what else is known of it: {preferred_username, email, …}

  // `clients` is [{id, secret, redirect, auth}]; `tls` is {key, cert}; `accessTokenTtl` in seconds.
  static async start({ clients, tls = null, accessTokenTtl = 3600 }) {
    const server = new OAuthServer();
    server.listener = tls ? https.createServer(tls) : http.createServer();
    await new Promise((resolve) => server.listener.listen(0, "127.0.0.1", resolve));
    server.listener.unref();
    server.port = server.listener.address().port;
    server.issuer = `${tls ? "https" : "http"}://127.0.0.1:${server.port}`;
    server.clients = clients;
    server.#serve(accessTokenTtl);
    return server;
  }

  #serve(accessTokenTtl) {
    console.warn = console.info = () => {};
    const server = this;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const provider = new Provider(this.issuer, {
      adapter: class extends Store { constructor(model) { super(server, model); } },
      clients: this.clients.map(({ id, secret, redirect, auth = "client_secret_basic" }) => ({
        client_id: id, client_secret: secret, redirect_uris: [redirect], token_endpoint_auth_method: auth,
        response_types: ["code"], grant_types: ["authorization_code", "refresh_token"],
      })),
      jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256" }] },
      clientDefaults: { id_token_signed_response_alg: "ES256" },
      cookies: { keys: [randomBytes(16).toString("hex")] },
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false }, revocation: { enabled: true }, introspection: { enabled: true } },
      findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...this.people[id] }) }),
      claims: { openid: ["sub"], profile: ["preferred_username", "name"], email: ["email", "email_verified"] },
      interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
      issueRefreshToken: () => true,
      rotateRefreshToken: true,
      ttl: { AccessToken: accessTokenTtl, AuthorizationCode: 60, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600, IdToken: 600 },
      renderError: (ctx, out) => { ctx.type = "json"; ctx.body = out; },
    });
    console.warn = warn;
    console.info = info;
    provider.use((ctx, next) => this.#note(ctx, next));
    provider.use((ctx, next) => this.#refuseBasic(ctx, next));
    provider.use((ctx, next) => this.#interact(provider, ctx, next));
    this.listener.on("request", provider.callback());
  }

  async #note(ctx, next) {
    await next();
    const auth = (ctx.get("authorization") || "none").split(" ")[0].toLowerCase();
    this.requests.push({ method: ctx.method, path: ctx.path, status: ctx.status, auth, parameters: Object.keys(ctx.oidc?.body ?? {}) });
  }

  // oidc-provider takes either way from a client registered for one of the two; others are strict.
  #refuseBasic(ctx, next) {
    const [scheme, credentials] = ctx.get("authorization").split(" ");
    const id = scheme === "Basic" ? Buffer.from(credentials, "base64").toString().split(":")[0] : null;
    const registered = this.clients.find((client) => client.id === id);
    if (registered?.auth !== "client_secret_post") return next();
    ctx.status = 401;
    ctx.set("WWW-Authenticate", "Basic");
    ctx.body = { error: "invalid_client", error_description: "client authentication failed" };
    return undefined;
  }

  // What a person would click: sign in as `account`, then consent, or refuse.
  async #interact(provider, ctx, next) {
    if (!ctx.path.startsWith("/interaction/")) return next();
    const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
    ctx.respond = false;
    if (prompt.name === "login")
      return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: this.account } }, { mergeWithLastSubmission: false });
    if (this.decision !== "approve")
      return provider.interactionFinished(ctx.req, ctx.res, { error: "access_denied", error_description: "the person said no" }, { mergeWithLastSubmission: false });
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? "openid");
    return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }

  // Values of a kind (AccessToken, RefreshToken, AuthorizationCode) that live right now.
  live(model) {
    const found = [];
    for (const [key, row] of this.rows)
      if (key.startsWith(`${model}:`) && row.until > Date.now() && !row.consumed) found.push(key.slice(model.length + 1));
    return found;
  }

  ever(...models) {
    return [...this.issued].filter((key) => models.includes(key.split(":")[0])).map((key) => key.slice(key.indexOf(":") + 1));
  }

  asked(path) { return this.requests.filter((request) => request.path === path); }

  // As an administrator of the provider would: RFC 7009, with the client's own credentials.
  async revoke(client, token) {
    const { id, secret } = this.clients.find((each) => each.id === client);
    const credentials = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
    const answer = await exchange("POST", `${this.issuer}/token/revocation`, {
      headers: { Authorization: `Basic ${credentials}`, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ token }).toString(),
    });
    if (answer.status !== 200) throw new Error(`revocation: ${answer.status} ${answer.text}`);
  }

  async stop() {
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}
