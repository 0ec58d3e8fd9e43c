// SPDX-License-Identifier: Apache-2.0
// A real OAuth 2 and OpenID Connect server that nobody here wrote (oidc-provider), set up so that a browser needs only
// follow redirects: whoever comes is signed in and has consented. PKCE S256 is demanded of every client.
import { createServer } from "node:http";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { after } from "node:test";

// The library's own memory adapter forgets after a thousand entries.
class MapAdapter {
  static #stores = new Map();
  constructor(name) {
    this.store = MapAdapter.#stores.get(name) ?? new Map();
    MapAdapter.#stores.set(name, this.store);
  }
  async upsert(id, payload, expiresIn) { this.store.set(id, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity }); }
  async find(id) {
    const entry = this.store.get(id);
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }
  async findByUid(uid) { return [...this.store.values()].find(({ payload }) => payload.uid === uid)?.payload; }
  async findByUserCode(code) { return [...this.store.values()].find(({ payload }) => payload.userCode === code)?.payload; }
  async consume(id) { this.store.get(id).payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { this.store.delete(id); }
  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.store) if (payload.grantId === grantId) this.store.delete(id);
  }
}

// {issuer, clientId, clientSecret, seen}: `seen` are the token requests' parameters, without their values.
export async function startOidcProvider({ redirectUri, authMethod = "client_secret_basic" }) {
  const { Provider } = await import("oidc-provider");
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  server.unref();
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const clientId = "gatehouse";
  const clientSecret = randomBytes(24).toString("base64url");
  const jwk = { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "one" };

  const provider = new Provider(issuer, {
    adapter: MapAdapter,
    clients: [{
      client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri], token_endpoint_auth_method: authMethod,
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
    }],
    cookies: { keys: [randomBytes(16).toString("hex")] },
    jwks: { keys: [jwk] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true }, introspection: { enabled: true } },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400, Session: 86400 },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: async (ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, name: sub }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid offline_access");
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next();
    const { params } = await provider.interactionDetails(ctx.req, ctx.res);
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: params.login_hint ?? "alice" } });
    ctx.respond = false;
  });
  const seen = [];
  const sent = (params) => Object.keys(params).filter((name) => params[name] !== undefined);
  provider.on("grant.success", (ctx) => seen.push({ result: "granted", parameters: sent(ctx.oidc.params) }));
  provider.on("grant.error", (ctx, error) => seen.push({ result: error.error, description: error.error_detail ?? error.message }));
  server.on("request", provider.callback());
  return { issuer, clientId, clientSecret, seen, provider };
}
