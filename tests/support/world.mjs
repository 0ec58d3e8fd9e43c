// SPDX-License-Identifier: Apache-2.0
// What one test file works with: a database, the demonstration provider, a service between them, and short ways to
// make users, templates, links and workspaces. Names are made up per world, so tests of one file do not meet.
import assert from "node:assert/strict";
import { after } from "node:test";
import { Browser } from "./browser.mjs";
import { Cluster } from "./postgres.mjs";
import { DemoProvider } from "./provider.mjs";
import { recordRun } from "./openapi.mjs";
import { newSecret, Service } from "./service.mjs";

recordRun();

export const UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";

export class World {
  #count = 0;

  // `providers` is a function from the demonstration provider to the list that the service is given; `cluster` a
  // cluster of the test's own, when it wants to take it away.
  static async create({ providers = (demo) => [demo.configure("demo")], settings = {}, cluster = null } = {}) {
    const world = new World();
    world.cluster = cluster ?? await Cluster.share();
    world.database = await world.cluster.createDatabase();
    world.demo = await DemoProvider.start();
    world.providers = providers(world.demo);
    world.service = new Service({ databaseUrl: world.cluster.url(world.database), providers: world.providers, settings });
    world.services = [world.service];
    await world.service.start();
    return world;
  }

  // As create, and ended with the test file.
  static async open(options = {}) {
    const world = await World.create(options);
    after(() => world.close());
    return world;
  }

  // Another process on the same database, with the same key and providers.
  async replica({ settings = {}, providers = this.providers } = {}) {
    const { key, adminToken } = this.service;
    const replica = new Service({
      databaseUrl: this.cluster.url(this.database), providers, settings: { ...this.service.settings, ...settings }, key, adminToken,
    });
    this.services.push(replica);
    return replica.start();
  }

  async close() {
    const ends = await Promise.allSettled(this.services.map((service) => service.stop()));
    await this.demo.stop();
    await this.cluster.stop();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  name(prefix) {
    return `${prefix}-${++this.#count}`;
  }

  api(method, path, options) { return this.service.request(method, path, options); }
  admin(method, path, body) { return this.service.admin(method, path, body); }
  sql(text, values) { return this.cluster.query(this.database, text, values); }
  countRows(except) { return this.cluster.countRows(this.database, except); }
  psqlDump() { return this.cluster.dump(this.database); }

  // As admin, and the answer must be the status given.
  async expect(status, method, path, body) {
    const answer = await this.admin(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer.body;
  }

  // A user with a token of their own: the User's fields and `token`.
  async createUser({ username = this.name("user"), roles, email, withToken = true } = {}) {
    const user = await this.expect(201, "POST", "/api/v2/users", { username, roles, email });
    if (withToken) user.token = await this.createToken(user);
    return user;
  }

  async createToken(user) {
    return (await this.expect(201, "POST", `/api/v2/users/${user.id}/keys/tokens`, {})).key;
  }

  async createTemplate(external_auth = [], { name = this.name("template"), enforcement, deprecated } = {}) {
    const template = await this.expect(201, "POST", "/api/v2/templates", { name, external_auth });
    if (enforcement === undefined && deprecated === undefined) return template;
    const { active_version } = template;
    const changed = await this.expect(200, "PATCH", `/api/v2/templates/${template.id}`, { enforcement, deprecated });
    return { ...changed, active_version };
  }

  // A link whose token the provider knows, without a browser. Without a refresh token unless asked for, so that no
  // refresh mends what a test breaks.
  async link(user, provider = "demo", { expires_at, withRefreshToken = false, ...grant } = {}) {
    const minted = await this.demo.mint(provider, { login: user.username, ...grant });
    const refresh_token = withRefreshToken ? minted.refresh_token : null;
    await this.importLink(user, provider, { access_token: minted.access_token, refresh_token, expires_at });
    return minted;
  }

  // A link whose token nobody knows.
  async importLink(user, provider, tokens = {}) {
    await this.expect(204, "PUT", `/api/v2/users/${user.id}/external-auth/${provider}`, { access_token: newSecret(), ...tokens });
  }

  // POST create by `caller` (default the owner).
  createWorkspace(owner, template, { caller = owner, name = this.name("ws"), service = this.service, ...rest } = {}) {
    const by = template?.active_version_id ? { template_id: template.id } : {};
    return service.request("POST", `/api/v2/users/${owner.username}/workspaces`, {
      token: caller.token ?? caller, body: { name, ...by, ...rest },
    });
  }

  preflight(user, template, { token = user.token, query = "" } = {}) {
    return this.api("GET", `/api/v2/templateversions/${template.active_version_id}/external-auth${query}`, { token });
  }

  async linkUrl(user, provider = "demo", { redirect, token = user.token } = {}) {
    const answer = await this.api("POST", `/api/v2/users/${user.username}/external-auth/${provider}/link-url`, {
      token, body: { redirect },
    });
    assert.equal(answer.status, 201, answer.text);
    return answer.body.url;
  }

  // The whole way: link-url, the provider, the callback. Gives every answer on it.
  async linkThroughBrowser(user, provider = "demo", { redirect, browser = new Browser() } = {}) {
    const url = await this.linkUrl(user, provider, { redirect });
    const callback = new URL(`/external-auth/${provider}/callback`, this.service.accessUrl).href;
    const answers = await browser.travel(url, this.service, (next) => redirect !== undefined && next.pathname === new URL(redirect, callback).pathname);
    const last = answers.at(-1);
    assert.equal(last.url.href.split("?")[0], callback, `the browser ended at ${last.url.href}: ${last.text.slice(0, 500)}`);
    assert.equal(last.status, redirect === undefined ? 200 : 303, last.text.slice(0, 1000));
    return { answers, last, browser, authorize: answers[0].next };
  }
}

// Asserts a refusal and that it left nothing behind: no row in any table but the decision log's, and those of `besides`.
export async function assertLeavesNothing(world, ask, besides = []) {
  const count = async () => ({ ...(await world.countRows()), ...Object.fromEntries(besides.map((table) => [`public.${table}`, null])) });
  const before = await count();
  const answer = await ask();
  assert.deepEqual(await count(), before, `rows changed; the answer was ${answer.status} ${answer.text}`);
  return answer;
}

// The same of a request that has an Idempotency-Key, which stays bound to it.
export const assertLeavesOnlyKey = (world, ask) => assertLeavesNothing(world, ask, ["idempotency_keys"]);

// Asserts status and code; gives the body.
export function assertError(answer, status, code, field) {
  assert.equal(answer.status, status, answer.text.slice(0, 1000));
  assert.equal(answer.body?.code, code, answer.text.slice(0, 1000));
  const names = (validation) => (field instanceof RegExp ? field.test(validation.field) : validation.field === field);
  if (field !== undefined) assert.ok(answer.body.validations?.some(names), `no validation names ${field}: ${answer.text}`);
  return answer.body;
}
