// SPDX-License-Identifier: Apache-2.0
// The demonstration provider as tests use it: what it is told over its control API, and what it says it was asked.
// Its program is named by GATEHOUSE_PROVIDER; one process plays every provider of a test file.
import assert from "node:assert/strict";
import { exchange } from "./http.mjs";
import { Program } from "./process.mjs";

export const CLIENT_ID = "gatehouse-demo";
export const CLIENT_SECRET = "gatehouse-demo-secret";

export class DemoProvider {
  // A connection that is kept owns a thread of the provider's, idle or not.
  static async start({ threads = 256 } = {}) {
    const demo = new DemoProvider();
    assert.ok(process.env.GATEHOUSE_PROVIDER, "set GATEHOUSE_PROVIDER to the demonstration provider's program");
    demo.program = new Program("demo provider", process.env.GATEHOUSE_PROVIDER, ["--threads", String(threads)]);
    const [, url] = await demo.program.waitFor(/^gatehouse-demo-provider: listening on (\S+)$/m);
    demo.base = url;
    return demo;
  }

  async stop() {
    if (this.program) await this.program.stop("SIGTERM");
    this.program = null;
  }

  async #control(method, path, body) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await exchange(method, `${this.base}/_control${path}`, { headers, body: body === undefined ? null : JSON.stringify(body) });
    assert.ok(answer.status < 300, `${method} /_control${path}: ${answer.status} ${answer.text}`);
    return answer.text ? JSON.parse(answer.text) : null;
  }

  // How the service is configured for provider `id`. No preset stands in the way, and verdicts are never reused, so
  // that a test sees what the provider says now.
  configure(id, { at = id, ...fields } = {}) {
    const url = `${this.base}/${at}`;
    return {
      id, type: "demo", display_name: `Demo ${id}`, client_id: CLIENT_ID, client_secret: CLIENT_SECRET,
      auth_url: `${url}/authorize`, token_url: `${url}/token`, validate_url: `${url}/validate`, revoke_url: `${url}/revoke`,
      gate_max_age: "0s", preflight_max_age: "0s", ...fields,
    };
  }

  // The same with type github, whose presets point at the provider.
  configureGithub(id, fields = {}) {
    const url = `${this.base}/${fields.at ?? id}`;
    return this.configure(id, {
      type: "github", display_name: "GitHub", validate_url: `${url}/user`, revoke_url: `${url}/applications/${CLIENT_ID}/grant`,
      app_installations_url: `${url}/installations`, device_code_url: `${url}/device/code`, ...fields,
    });
  }

  set(name, switches) { return this.#control("PUT", `/${name}`, switches); }
  reset(name) { return this.#control("DELETE", `/${name}`); }
  // The fault of one endpoint; null for none.
  fault(name, endpoint, fault) { return this.set(name, { faults: { [endpoint]: fault } }); }
  async counters(name) { return (await this.#control("GET", `/${name}`)).counters; }
  async requests(name, endpoint) {
    const { requests } = await this.#control("GET", `/${name}/requests`);
    return endpoint ? requests.filter((request) => request.endpoint === endpoint) : requests;
  }

  // How many requests each of the providers has had so far, on all endpoints or one.
  async asked(names, endpoint) {
    let sum = 0;
    for (const name of [names].flat()) {
      const { requests } = await this.counters(name);
      sum += endpoint ? requests[endpoint] : Object.values(requests).reduce((total, count) => total + count, 0);
    }
    return sum;
  }

  // Tokens without a flow: {access_token, refresh_token, …}.
  mint(name, grant = {}) { return this.#control("POST", `/${name}/tokens`, grant); }
  revoke(name, what) { return this.#control("POST", `/${name}/revoke`, what); }
  // Answers the page where a person types the code in.
  decideDevice(name, user_code, approve = true, login = "alice") { return this.#control("POST", `/${name}/device`, { user_code, approve, login }); }
  async secrets() { return (await this.#control("GET", "/tokens")).tokens; }

  closeGate(name, endpoint, { state = "closed", moment = "before" } = {}) {
    return this.#control("PUT", `/${name}/gates/${endpoint}`, { state, moment });
  }
  openGate(name, endpoint) { return this.closeGate(name, endpoint, { state: "open" }); }
  releaseGate(name, endpoint, count = 1) { return this.#control("POST", `/${name}/gates/${endpoint}/release`, { count }); }
  // Waits until `waiting` requests stand at the gate.
  awaitGate(name, endpoint, waiting = 1, timeoutMs = 10000) {
    return this.#control("GET", `/${name}/gates/${endpoint}?waiting=${waiting}&timeout_ms=${timeoutMs}`);
  }
}
