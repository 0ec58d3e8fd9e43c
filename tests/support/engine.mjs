// SPDX-License-Identifier: Apache-2.0
// What the tests of the token engine share: a world of several processes, links whose token has run out, exchanges that
// stand at the provider's gate, and what every replica must then say of the same link.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Cluster } from "./postgres.mjs";
import { eventually } from "./process.mjs";
import { World } from "./world.mjs";

export const EXPIRED = "2020-01-01T00:00:00Z";
const STATUS = { valid: 201, refresh_in_progress: 503, provider_unavailable: 503, provider_misconfigured: 503, database_unavailable: 503 };

const toReason = (answer) => (answer.status === 201 ? "valid" : answer.body.external_auth?.[0].reason ?? answer.body.code);

// Of a connection that ended without an answer; what was answered wrongly still fails.
function noAnswer(error) {
  if (error instanceof assert.AssertionError) throw error;
  return null;
}

// Ends without checking how: for processes that a test kills.
async function kill(service, signal) {
  service.program.child.kill(signal);
  return service.program.exited();
}

// Where an exchange stands at the gate: the provider has not acted and never will, has not acted and still does, has acted.
// `healed`: what is asked once more is granted by a provider that rotates.
export const POINTS = {
  "before the provider acts, which it never does": { moment: "before", fault: { status: 500, times: 1 }, healed: true },
  "before the provider acts, which it still does": { moment: "before", fault: null, healed: false },
  "after the provider has acted": { moment: "after", fault: null, healed: false },
};

export class EngineWorld extends World {
  // A World with this file's own cluster, because it is taken away or because it must not forget what it has confirmed:
  // the clusters of the tests confirm before they have written, and what dies with a postmaster is then lost by the test.
  static async open({ ids, providers = (demo) => ids.map((id) => demo.configure(id)), ...options }) {
    const cluster = await Cluster.start();
    await cluster.query("postgres", "ALTER ROLE postgres SET synchronous_commit = on");
    const world = await World.open({ cluster, providers, ...options });
    return Object.setPrototypeOf(world, EngineWorld.prototype);
  }

  // A new user whose link to `provider` has run out, and a template that needs it.
  async expired(provider, options = {}) {
    const user = await this.createUser();
    const template = await this.createTemplate([provider]);
    const minted = await this.link(user, provider, { withRefreshToken: true, expires_at: EXPIRED, ...options });
    return { user, template, provider, minted };
  }

  // As if the token's life were over, without waiting for it.
  async expire({ user, provider }) {
    await this.sql("UPDATE links SET expires_at = now() - interval '1 hour', issued_at = now() - interval '2 hours' WHERE owner_id = $1 AND provider_id = $2", [user.id, provider]);
  }

  async row({ user, provider }) {
    const [row] = await this.sql("SELECT *, generation::int AS generation FROM links WHERE owner_id = $1 AND provider_id = $2", [user.id, provider]);
    return row;
  }

  // What a create by `service` says of the link: the reason, valid for 201, or the error's code where the gate was not
  // reached. The status must be the one of the reason.
  async reason({ user, template }, service = this.service) {
    const answer = await this.createWorkspace(user, template, { service });
    const reason = toReason(answer);
    assert.equal(answer.status, STATUS[reason] ?? 403, answer.text);
    return reason;
  }

  // Every replica says the same, and that one of `reasons`.
  async agree(link, reasons, services = this.services) {
    const said = [];
    for (const service of services) said.push(await this.reason(link, service));
    assert.equal(new Set(said).size, 1, `replicas do not agree: ${said}`);
    assert.ok([reasons].flat().includes(said[0]), `${said[0]}, not ${reasons}`);
    return said[0];
  }

  // The first process has the exchange in hand and stands with it at the gate, the second one waits for it. `before` is
  // how many requests the provider had had until then.
  async bothAsk(provider, { moment, fault = null, service = this.service, waiter = this.services[1] }) {
    const link = await this.expired(provider);
    await this.demo.fault(provider, "token", fault);
    const before = await this.answered(provider);
    const { asking } = await this.held(link, { moment, service });
    const waiting = this.reason(link, waiter).catch(noAnswer);
    return { link, asking, waiting, before };
  }

  // A create that has got as far as the token endpoint and stands there: {asking}, which resolves with the reason, or
  // with null where the connection ended without an answer.
  async held(link, { moment = "before", service = this.service, signal } = {}) {
    await this.demo.closeGate(link.provider, "token", { state: "once", moment });
    const { user, template } = link;
    const asking = service.request("POST", `/api/v2/users/${user.username}/workspaces`, {
      token: user.token, body: { name: this.name("ws"), template_id: template.id }, signal,
    }).then(toReason, () => null);
    await this.demo.awaitGate(link.provider, "token");
    return { asking };
  }

  // Requests of the token endpoint that the provider has carried out or refused, those still at the gate left out.
  async answered(provider) {
    return (await this.demo.requests(provider, "token")).length;
  }

  // The provider is through with everything it was asked.
  async settled(provider) {
    await this.demo.openGate(provider, "token");
    await eventually(`${provider} has answered everything`, async () =>
      await this.answered(provider) === await this.demo.asked(provider, "token"));
  }

  // Ends a replica for good, whatever way.
  async lose(service, signal = "SIGKILL") {
    const end = await kill(service, signal);
    this.services = this.services.filter((each) => each !== service);
    assert.equal(service.program.sanitizerReport(), null, service.program.sanitizerReport() ?? "");
    return end;
  }

  // SIGSTOP, and waits until the last thread stands: the signal reaches one of them, which tells the others.
  async freeze(service) {
    const tasks = `/proc/${service.pid}/task`;
    service.program.child.kill("SIGSTOP");
    await eventually("every thread stands", () =>
      readdirSync(tasks).every((task) => /^State:\s+T/m.test(readFileSync(`${tasks}/${task}/status`, "utf8"))));
  }

  // Waits until nobody holds the link's lease.
  async leaseEnds(link) {
    await eventually("the lease has run out", async () => {
      const [{ over }] = await this.sql("SELECT lease_until IS NULL OR lease_until < clock_timestamp() AS over FROM links WHERE owner_id = $1 AND provider_id = $2", [link.user.id, link.provider]);
      return over;
    }, 20000);
  }

  // As if the time to let the token endpoint alone were over.
  async thaw({ user, provider }) {
    await this.sql("UPDATE links SET cooldown_until = clock_timestamp() WHERE owner_id = $1 AND provider_id = $2 AND cooldown_until IS NOT NULL", [user.id, provider]);
    await this.sql("UPDATE links SET lease_until = clock_timestamp() - interval '1 hour' WHERE owner_id = $1 AND provider_id = $2 AND lease_until < clock_timestamp()", [user.id, provider]);
  }

  // The access token that the validate endpoint saw last is this one.
  async assertJudged({ provider }, { access_token }) {
    const asked = (await this.demo.requests(provider, "validate")).at(-1).values.authorization;
    assert.equal(asked, (await this.demo.secrets()).find(({ value }) => value === access_token).fingerprint, "another token was judged");
  }

  // Nobody ever spent a refresh token twice at `provider`.
  async assertNeverTwice(provider) {
    const { refreshes_reused, refreshes_overlapping, families_revoked } = await this.demo.counters(provider);
    assert.deepEqual({ refreshes_reused, refreshes_overlapping, families_revoked }, { refreshes_reused: 0, refreshes_overlapping: 0, families_revoked: 0 });
  }
}

export const count = (name, fallback) => Number(process.env[name] ?? fallback);
