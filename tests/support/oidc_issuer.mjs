// SPDX-License-Identifier: Apache-2.0
// An OpenID Connect issuer that does what a test says, also what no honest one would: claims, header and signature of its
// ID tokens are the test's, keys turn over, endpoints fail. What an honest one does, oidc-provider shows (tests/e2e).
import { createHash, createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import http from "node:http";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const random = () => randomBytes(24).toString("base64url");

export function makeKey(alg = "RS256", more = {}) {
  const { privateKey, publicKey } = alg === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: more.bits ?? 2048 });
  const kid = more.kid ?? random().slice(0, 8);
  return { alg, kid, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig", ...more.jwk } };
}

// Signs as the algorithm of the header says, with the key's own private part; HS256 with its public one as the secret.
export function signToken(header, claims, key) {
  const input = `${encode(header)}.${encode(claims)}`;
  if (header.alg === "none") return `${input}.`;
  if (header.alg === "HS256") {
    const secret = createPublicKey(key.privateKey).export({ type: "spki", format: "pem" });
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  }
  const options = key.alg === "ES256" ? { key: key.privateKey, dsaEncoding: "ieee-p1363" } : key.privateKey;
  return `${input}.${sign("sha256", Buffer.from(input), options).toString("base64url")}`;
}

export class Issuer {
  requests = []; // {method, path, parameters, auth}
  secrets = []; // codes, tokens and ID tokens that were handed out
  #codes = new Map();
  #tokens = new Map();

  static async start({ clientId = "gatehouse", clientSecret = random() } = {}) {
    const issuer = new Issuer();
    Object.assign(issuer, { clientId, clientSecret });
    issuer.server = http.createServer((request, response) => issuer.#answer(request, response));
    await issuer.listen(0);
    issuer.behave();
    return issuer;
  }

  async listen(port) {
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.server.unref();
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  // Everything honest again.
  behave() {
    this.key = makeKey();
    this.keys = [this.key];
    this.person = { sub: "sub-alice", preferred_username: "alice", email: "alice@example.com", email_verified: true };
    this.claims = {}; // over what an ID token says; undefined takes one away
    this.header = {};
    this.sign = signToken;
    this.userinfo = null; // what it says instead of the person
    this.inIdToken = true; // the person's claims
    this.answer = {}; // parameters over those of the authorization response; undefined takes one away
    this.broken = {}; // path → status
    this.metadata = {};
  }

  get settings() {
    return { OIDC_ISSUER: this.url, OIDC_CLIENT_ID: this.clientId, OIDC_CLIENT_SECRET: this.clientSecret };
  }

  asked(path) { return this.requests.filter((request) => request.path === path).length; }

  #send(response, status, body, headers = {}) {
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    this.requests.push({ method: request.method, path: url.pathname, query: url.searchParams, form, auth: request.headers.authorization });
    if (this.broken[url.pathname]) return this.#send(response, this.broken[url.pathname], { error: "server_error" });
    const pages = {
      "/.well-known/openid-configuration": () => this.#send(response, 200, this.#metadata()),
      "/jwks": () => this.#send(response, 200, { keys: this.keys.map(({ jwk }) => jwk) }),
      "/authorize": () => this.#authorize(url.searchParams, response),
      "/token": () => this.#token(request, form, response),
      "/userinfo": () => this.#userinfo(request, response),
    };
    const page = pages[url.pathname];
    return page ? page() : this.#send(response, 404, {});
  }

  #metadata() {
    return {
      issuer: this.url, authorization_endpoint: `${this.url}/authorize`, token_endpoint: `${this.url}/token`, jwks_uri: `${this.url}/jwks`,
      userinfo_endpoint: `${this.url}/userinfo`, authorization_response_iss_parameter_supported: true, ...this.metadata,
    };
  }

  // As one who has signed in already and is asked nothing.
  #authorize(query, response) {
    const code = random();
    this.secrets.push(code);
    this.#codes.set(code, { query, person: this.person });
    const back = new URL(query.get("redirect_uri"));
    for (const [name, value] of Object.entries({ code, state: query.get("state"), iss: this.url, ...this.answer }))
      if (value !== undefined) back.searchParams.set(name, value);
    response.writeHead(302, { Location: back.href });
    response.end();
  }

  #token(request, form, response) {
    const given = this.#codes.get(form.get("code"));
    this.#codes.delete(form.get("code"));
    const expected = `Basic ${Buffer.from(`${this.clientId}:${this.clientSecret}`).toString("base64")}`;
    if (request.headers.authorization !== expected) return this.#send(response, 401, { error: "invalid_client" });
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (!given || given.query.get("code_challenge") !== challenge || given.query.get("redirect_uri") !== form.get("redirect_uri"))
      return this.#send(response, 400, { error: "invalid_grant" });
    const access_token = random();
    this.#tokens.set(access_token, given.person);
    const id_token = this.#idToken(given);
    this.secrets.push(access_token, id_token, form.get("code_verifier"));
    return this.#send(response, 200, { access_token, token_type: "Bearer", expires_in: 300, id_token });
  }

  #idToken({ query, person }) {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.url, aud: this.clientId, exp: now + 300, iat: now, nonce: query.get("nonce"),
      ...(this.inIdToken ? person : { sub: person.sub }), ...this.claims,
    };
    for (const name of Object.keys(claims)) if (claims[name] === undefined) delete claims[name];
    const header = { alg: this.key.alg, kid: this.key.kid, typ: "JWT", ...this.header };
    for (const name of Object.keys(header)) if (header[name] === undefined) delete header[name];
    return this.sign(header, claims, this.key);
  }

  #userinfo(request, response) {
    const person = this.#tokens.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
    if (!person) return this.#send(response, 401, { error: "invalid_token" });
    return this.#send(response, 200, this.userinfo ?? person);
  }
}
