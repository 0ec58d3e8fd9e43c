// SPDX-License-Identifier: Apache-2.0
// An operator's mistake is nobody else's: while the provider refuses our client, every owner's link is unverifiable and
// none is missing, no refresh token is touched, and the right secret heals all of them without anybody linking again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineWorld } from "../support/engine.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { newSecret } from "../support/service.mjs";

const OWNERS = 12;
const wrong = newSecret();
const next = newSecret();
const world = await EngineWorld.open({
  providers: (demo) => [
    demo.configure("typo", { client_secret: wrong }), demo.configure("id", { client_id: "somebody-else" }), demo.configure("rolling"),
    demo.configure("github", { client_secret: wrong }), demo.configure("spare", { client_secret: wrong, client_secret_2: CLIENT_SECRET }),
  ],
  settings: { REFRESH_COOLDOWN: "60s" },
});
const { demo } = world;
await world.replica();

const withChange = (id, change) => world.providers.map((provider) => (provider.id === id ? { ...provider, ...change } : provider));
const owners = (provider) => Promise.all(Array.from({ length: OWNERS }, () => world.expired(provider)));
const tokens = async (links) => {
  const rows = await Promise.all(links.map((link) => world.row(link)));
  return rows.map(({ generation, refresh_token, remembered_reason, unresolved }) => [generation, refresh_token.toString("hex"), remembered_reason, unresolved]);
};

// Everybody's create and preflight at every process: 503, and never a word to the owner.
async function assertOperators(links) {
  for (const service of world.services)
    for (const answer of await Promise.all(links.map(({ user, template }) => world.createWorkspace(user, template, { service })))) {
      assert.equal(answer.status, 503, answer.text);
      const [state] = answer.body.external_auth;
      assert.deepEqual([state.verdict, state.reason, state.fixable_by], ["unverifiable", "provider_misconfigured", "operator"]);
      assert.ok(!answer.text.includes(wrong));
    }
}

// The processes that have the mistake go, others come.
async function restartAll(providers) {
  for (const service of [...world.services]) await world.lose(service, "SIGTERM");
  await world.replica({ providers });
  await world.replica({ providers });
  world.service = world.services[0];
  world.providers = providers;
}

// id, what the provider does, what mends it.
for (const [id, switches, mended] of [
  ["typo", {}, { client_secret: CLIENT_SECRET }],
  ["id", {}, { client_id: "gatehouse-demo" }],
  ["github", { error_style: "github" }, { client_secret: CLIENT_SECRET }],
])
  test(`a client that the provider refuses (${id}) keeps every refresh token, and a restart with the right one heals every link`, async () => {
    await demo.set(id, switches);
    const links = await owners(id);
    const before = await tokens(links);
    await assertOperators(links);
    assert.deepEqual(await tokens(links), before, "nothing of any owner's was touched");
    const asked = await demo.asked(id, "token");
    await assertOperators(links);
    assert.equal(await demo.asked(id, "token"), asked, "nor is the provider asked again before the cool-down");
    const { refreshes_granted, refreshes_reused, families_revoked } = await demo.counters(id);
    assert.deepEqual([refreshes_granted, refreshes_reused, families_revoked], [0, 0, 0]);
    await restartAll(withChange(id, mended));
    for (const link of links) await world.agree(link, "valid");
    assert.equal((await demo.counters(id)).refreshes_granted, OWNERS, "one exchange each, without waiting for the cool-down");
    await world.assertNeverTwice(id);
  });

test("CLIENT_SECRET_2 is taken where the first is refused", async () => {
  const links = await owners("spare");
  for (const link of links) await world.agree(link, "valid");
  assert.equal((await demo.counters("spare")).refreshes_granted, OWNERS);
  await world.assertNeverTwice("spare");
});

test("a secret is changed without one refusal: the service first, the provider then", async () => {
  const links = await owners("rolling");
  const everybody = async () => {
    for (const link of links) await world.expire(link);
    await Promise.all(links.map((link) => world.agree(link, "valid")));
  };
  await demo.set("rolling", { client_secret: CLIENT_SECRET, client_secret_2: null });
  await everybody();
  const both = withChange("rolling", { client_secret_2: next });
  await world.lose(world.services[1], "SIGTERM"); // one process after the other
  await world.replica({ providers: both });
  await everybody();
  await restartAll(both);
  await demo.set("rolling", { client_secret: CLIENT_SECRET, client_secret_2: next });
  await everybody();
  await demo.set("rolling", { client_secret: next, client_secret_2: null });
  await everybody();
  await restartAll(withChange("rolling", { client_secret: next, client_secret_2: undefined }));
  await everybody();
  await world.assertNeverTwice("rolling");
});
