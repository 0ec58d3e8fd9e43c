// SPDX-License-Identifier: Apache-2.0
// The whole authorization-code flow with PKCE against a real OAuth server that nobody here wrote: refused, connected,
// created, unlinked and revoked. Endpoints come from discovery.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { exchange } from "../support/http.mjs";
import { startOidcProvider } from "../support/oidc_provider.mjs";
import { freePort } from "../support/process.mjs";
import { assertError, World } from "../support/world.mjs";

const METHODS = ["client_secret_basic", "client_secret_post"];

for (const authMethod of METHODS)
  test(`a client that authenticates by ${authMethod}`, async (t) => {
    const address = `127.0.0.1:${await freePort()}`;
    const redirectUri = `http://${address}/external-auth/real/callback`;
    const real = await startOidcProvider({ redirectUri, authMethod });
    const world = await World.create({
      settings: { HTTP_ADDRESS: address },
      providers: () => [{
        id: "real", type: "oidc", display_name: "Real", issuer: real.issuer, client_id: real.clientId, client_secret: real.clientSecret,
        scopes: "openid offline_access", validate_url: `${real.issuer}/me`, revoke_url: `${real.issuer}/token/revocation`,
        preflight_max_age: "0s",
      }],
    });
    after(() => world.close());
    const user = await world.createUser();
    const template = await world.createTemplate(["real"]);

    await t.test("refused before", async () => assertError(await world.createWorkspace(user, template), 403, "external_auth_required"));

    await t.test("connected by redirects alone, with PKCE", async () => {
      const { authorize } = await world.linkThroughBrowser(user, "real");
      assert.equal(authorize.origin, real.issuer);
      assert.equal(authorize.searchParams.get("code_challenge_method"), "S256");
      const granted = real.seen.filter(({ result }) => result === "granted");
      assert.equal(granted.length, 1, JSON.stringify(real.seen));
      assert.ok(granted[0].parameters.includes("code_verifier"));
    });

    await t.test("created after", async () => {
      assert.equal((await world.preflight(user, template)).body[0].reason, "valid");
      assert.equal((await world.createWorkspace(user, template)).status, 201);
    });

    await t.test("a code that was stolen is worth nothing", async () => {
      const browser = new Browser({ accept: "application/json" });
      const answers = await browser.travel(await world.linkUrl(user, "real"), world.service, (next) => next.href.startsWith(redirectUri));
      const callback = answers.at(-1).next;
      const form = new URLSearchParams({ grant_type: "authorization_code", code: callback.searchParams.get("code"), redirect_uri: redirectUri });
      const authorization = `Basic ${Buffer.from(`${real.clientId}:${real.clientSecret}`).toString("base64")}`;
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      if (authMethod === "client_secret_basic") headers.Authorization = authorization;
      else form.set("client_id", real.clientId), form.set("client_secret", real.clientSecret);
      const stolen = await exchange("POST", `${real.issuer}/token`, { headers, body: form.toString() });
      assert.equal(stolen.status, 400, "without the verifier there is no token");
    });

    await t.test("unlinked, and the real server knows the token no more", async () => {
      const { body } = await world.api("DELETE", "/api/v2/external-auth/real", { token: user.token });
      assert.deepEqual(body, { token_revoked: true, token_revocation_error: null });
      assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
    });
  });
