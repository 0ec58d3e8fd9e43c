// SPDX-License-Identifier: Apache-2.0
// Builds as tests ask for them and provisioners carry them out.
import assert from "node:assert/strict";

export class Jobs {
  static async create(world) {
    const jobs = new Jobs();
    jobs.world = world;
    jobs.provisioner = await world.createUser({ roles: ["provisioner"] });
    return jobs;
  }

  acquire({ token = this.provisioner.token, service = this.world.service, body = {}, ...rest } = {}) {
    return service.request("POST", "/api/v2/provisioner/acquire", { token, body, ...rest });
  }

  // A build, and it must be this one where `id` is given.
  async take({ id, ...options } = {}) {
    const answer = await this.acquire(options);
    assert.equal(answer.status, 200, answer.text);
    if (id) assert.equal(answer.body.build.id, id);
    return answer.body;
  }

  say(what, id, body = {}, { token = this.provisioner.token, service = this.world.service } = {}) {
    return service.request("POST", `/api/v2/builds/${id}/${what}`, { token, body });
  }

  async complete(id, status = "succeeded", rest = {}) {
    const answer = await this.say("complete", id, { status, ...rest });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  // Carries out everything there is, so that the next build is the test's own.
  async drain() {
    for (;;) {
      const answer = await this.acquire();
      if (answer.status === 204) return;
      assert.equal(answer.status, 200, answer.text);
      await this.complete(answer.body.build.id);
    }
  }

  add(workspace, transition, { token = this.world.service.adminToken, service = this.world.service, ...body } = {}) {
    return service.request("POST", `/api/v2/workspaces/${workspace.id}/builds`, { token, body: { transition, ...body } });
  }

  async build(id, token = this.world.service.adminToken) {
    const answer = await this.world.api("GET", `/api/v2/builds/${id}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  async workspace(owner, template, rest) {
    const answer = await this.world.createWorkspace(owner, template, rest);
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  }

  prebuilds(template, count = 1) {
    return this.world.expect(201, "POST", `/api/v2/templates/${template.name}/prebuilds`, { count });
  }
}
