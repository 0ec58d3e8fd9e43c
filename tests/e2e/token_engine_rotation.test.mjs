// SPDX-License-Identifier: Apache-2.0
// Real rotation with reuse detection, by an OAuth server that nobody here wrote: oidc-provider uses a refresh token up at
// each refresh and revokes the whole grant when one comes again. Links made in a browser live through many rounds of many
// callers at several processes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { count, EngineWorld } from "../support/engine.mjs";
import { OAuthServer } from "../support/oauth_server.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";

const ROUNDS = count("GATEHOUSE_ROUNDS", 10);
const CALLERS = 20;
const port = await freePort();
const client = (id, auth) => ({ id: `c-${id}`, secret: newSecret(), redirect: `http://127.0.0.1:${port}/external-auth/${id}/callback`, auth });
const clients = [client("basic"), client("form", "client_secret_post"), client("stolen")];
const server = await OAuthServer.start({ clients });
const brief = client("brief");
// Shorter than MIN_VALID: a token that was just issued is good as long as it lives.
const briefServer = await OAuthServer.start({ clients: [brief], accessTokenTtl: 4 });
after(() => Promise.all([server.stop(), briefServer.stop()]));

const provider = (at, { id, secret }) => ({
  id: id.slice(2), type: "oidc", issuer: at.issuer, client_id: id, client_secret: secret, scopes: "openid",
  validate_url: `${at.issuer}/me`, gate_max_age: "0s", preflight_max_age: "0s",
});
const world = await EngineWorld.open({
  providers: () => [...clients.map((each) => provider(server, each)), provider(briefServer, brief)],
  settings: { HTTP_ADDRESS: `127.0.0.1:${port}` },
});
for (let i = 0; i < 3; i++) await world.replica({ settings: { HTTP_ADDRESS: "127.0.0.1:0" } });

async function connected(provider, at = server) {
  const user = await world.createUser();
  const template = await world.createTemplate([provider]);
  at.account = user.username;
  await world.linkThroughBrowser(user, provider, { browser: new Browser() });
  return { user, template, provider };
}
const refreshes = (at = server) => at.asked("/token").filter(({ parameters }) => parameters.includes("refresh_token"));
const rush = (link, services = world.services) =>
  Promise.all(services.flatMap((service) => Array.from({ length: CALLERS }, () => world.reason(link, service))));

for (const id of ["basic", "form"])
  test(`${ROUNDS} rounds of ${CALLERS} callers at each of four processes: ${id}`, async () => {
    const links = [await connected(id), await connected(id)];
    const before = server.asked("/token").length;
    const issued = server.live("RefreshToken").length;
    for (let round = 1; round <= ROUNDS; round++) {
      for (const link of links) await world.expire(link);
      const outcomes = (await Promise.all(links.map((link) => rush(link)))).flat();
      assert.deepEqual([...new Set(outcomes)], ["valid"], `round ${round}`);
      for (const link of links) assert.equal((await world.row(link)).generation, round + 1);
    }
    const since = server.asked("/token").slice(before);
    const granted = since.filter(({ status }) => status === 200);
    assert.equal(granted.length, ROUNDS * links.length, "one a round for each link");
    // A client that is registered for the form is first tried by Basic, once for each process.
    const refused = since.filter(({ status }) => status !== 200);
    assert.deepEqual([...new Set(refused.map(({ status, auth }) => `${status} ${auth}`))], id === "form" ? ["401 basic"] : []);
    assert.ok(refused.length <= (id === "form" ? world.services.length * links.length : 0), `${refused.length} refusals`);
    assert.equal(server.live("RefreshToken").length, issued, "each grant lives and has one refresh token");
  });

test("a token that lives for four seconds is refreshed when its time is over, and not before", async () => {
  const link = await connected("brief", briefServer);
  assert.equal(await world.reason(link), "valid");
  assert.equal(refreshes(briefServer).length, 0);
  await eventually("its life is over", async () => Date.parse((await world.row(link)).expires_at) < Date.now(), 10000, 50);
  assert.deepEqual([...new Set(await rush(link, world.services.slice(0, 2)))], ["valid"]);
  const { generation } = await world.row(link);
  assert.equal(refreshes(briefServer).length, generation - 1);
  assert.ok(refreshes(briefServer).every(({ status }) => status === 200));
});

test("a refresh token that somebody else has used is the end of the grant, and all processes say so", async () => {
  const link = await connected("stolen");
  const { id, secret } = clients.find((each) => each.id === "c-stolen");
  const stolen = server.live("RefreshToken").at(-1);
  const answer = await fetch(`${server.issuer}/token`, {
    method: "POST", headers: { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: stolen }),
  });
  assert.equal(answer.status, 200);
  await world.expire(link);
  const before = refreshes().length;
  assert.deepEqual([...new Set(await rush(link))], ["refresh_rejected"]);
  assert.equal(refreshes().length - before, 1);
  server.account = link.user.username;
  await world.linkThroughBrowser(link.user, "stolen", { browser: new Browser() });
  await world.agree(link, "valid");
});
