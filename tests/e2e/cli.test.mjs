// SPDX-License-Identifier: Apache-2.0
// Every client command against a real service, as somebody types it and as CI does, with GATEHOUSE_TOKEN.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { Person } from "../support/cli.mjs";
import { LoginServer } from "../support/login_server.mjs";
import { eventually } from "../support/process.mjs";
import { World } from "../support/world.mjs";

const COMMANDS = ["login", "logout", "whoami", "status", "check", "create", "connect", "disconnect", "access-token", "git-credential", "decisions", "completion"];

const world = await World.open({
  providers: (demo) => [demo.configure("one"), demo.configure("two"), demo.configure("down"), demo.configure("gitlab"),
    demo.configure("git", { regex: "^https://(git\\.corp\\.example(/|$)|github\\.com/corp/)" }),
    demo.configureGithub("github", { regex: "^https://github\\.com(/|$)" })],
});
const { demo, service } = world;
await demo.fault("down", "validate", { status: 500 });

// A user of the service with a command line.
async function newPerson(options = {}) {
  const user = await world.createUser(options);
  const person = new Person({ environment: { GATEHOUSE_URL: service.accessUrl, GATEHOUSE_TOKEN: user.token } });
  return { user, person, run: (...args) => person.run(args) };
}
const ended = (end, code) => {
  assert.equal(end.code, code, `${end.stdout}${end.stderr}`);
  return end;
};
const json = (end, code = 0) => JSON.parse(ended(end, code).stdout);

describe("help and usage", () => {
  test("--help lists every command; each has its own", async () => {
    const person = new Person();
    const { stdout } = await person.run(["--help"]);
    for (const command of COMMANDS) {
      assert.match(stdout, new RegExp(`^  ${command} +\\S`, "m"));
      const help = ended(await person.run([command, "--help"]), 0);
      assert.equal(ended(await person.run([command, "-h"]), 0).stdout, help.stdout);
      assert.match(help.stdout, new RegExp(`^Usage: gatehouse ${command}`));
      for (const piece of ["--url", "--json", "--profile", "Exit codes"]) assert.ok(help.stdout.includes(piece), `${command} ${piece}`);
      assert.ok(help.stdout.split("\n").every((line) => line.length <= 130), command);
    }
  });

  test("what is not understood is exit 2 and names what was meant", async () => {
    const person = new Person();
    for (const [args, words] of [
      [["connect"], /PROVIDER/], [["create", "x"], /--template/], [["check", "a", "b"], /too many/], [["status", "--jsn"], /--json/],
      [["status", "--json=1"], /no value/], [["whoami", "--url"], /URL/], [["completion", "zsh"], /bash/], [["connect", "x", "--timeout", "soon"], /./],
    ]) {
      const { code, stderr, stdout } = await person.run(args, { environment: { GATEHOUSE_URL: service.accessUrl, GATEHOUSE_TOKEN: "x" } });
      assert.equal(code, 2, `${args}: ${stderr}`);
      assert.match(stderr, words);
      assert.equal(stdout, "");
    }
  });

  test("the completion is lawful bash and completes commands, options and choices", async () => {
    const person = new Person();
    const script = join(person.home, "completion");
    writeFileSync(script, ended(await person.run(["completion", "bash"]), 0).stdout);
    const complete = (...words) => execFileSync("bash", ["-c", `set -e; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gatehouse; echo "\${COMPREPLY[@]}"`, script, ...words], { encoding: "utf8" }).trim().split(" ");
    assert.deepEqual(complete("gatehouse", "dis"), ["disconnect"]);
    assert.deepEqual(complete("gatehouse", "create", "--wa"), ["--wait"]);
    assert.deepEqual(complete("gatehouse", "login", "--store", "k"), ["keyring"]);
    assert.ok(complete("gatehouse", "").includes("serve"));
    assert.deepEqual(complete("gatehouse", "keys", ""), ["status", "rotate"]);
    assert.deepEqual(complete("gatehouse", "token", "c"), ["create"]);
  });
});

describe("commands", { concurrency: 4 }, () => {
  test("whoami", async () => {
    const { user, run } = await newPerson({ roles: ["auditor"] });
    const { stdout } = ended(await run("whoami"), 0);
    for (const piece of [user.username, "auditor", service.accessUrl, "GATEHOUSE_TOKEN"]) assert.ok(stdout.includes(piece), stdout);
    assert.equal(json(await run("whoami", "--json")).id, user.id);
  });

  test("status shows every provider, its state, and what to do", async () => {
    const { user, run } = await newPerson();
    await world.link(user, "one");
    await world.link(user, "two", { expires_at: "2020-01-01T00:00:00Z" });
    const { stdout } = ended(await run("status"), 0);
    assert.match(stdout, /^one +Demo one +connected +valid/m);
    assert.match(stdout, /^two +Demo two +not usable +expired/m);
    assert.match(stdout, /^down +Demo down +not connected/m);
    assert.match(stdout, /gatehouse connect two$/m);
    assert.doesNotMatch(stdout, /gatehouse connect one$/m);
    assert.equal(json(await run("status", "--json")).links.length, 2);
    await world.link(user, "down");
    const away = ended(await run("status"), 0).stdout;
    assert.match(away, /^down +Demo down +not usable +provider_unavailable/m);
    assert.match(away, /^down: .*try again later/m);
    assert.doesNotMatch(away, /gatehouse connect down$/m);
    assert.match((await run("status", "--verbose")).stdout, new RegExp(`Service +${service.accessUrl}`));
  });

  test("check says yes with 0, no with 3 and what mends it, and cannot tell with 5", async () => {
    const { user, run } = await newPerson();
    const [good, bad, down] = [await world.createTemplate(["one"]), await world.createTemplate(["two", "one"]), await world.createTemplate(["down"])];
    await world.link(user, "one");
    await world.link(user, "down");
    ended(await run("check", good.name), 0);
    ended(await run("check", good.id), 0);
    const no = ended(await run("check", bad.name), 3);
    assert.match(no.stdout, /^two .*missing +not_linked/m);
    assert.match(no.stdout, /^To connect Demo two: gatehouse connect two$/m);
    assert.deepEqual(json(await run("check", bad.name, "--json"), 3).validations, [{ field: "external_auth", detail: "two" }]);
    assert.match(ended(await run("check", down.name), 5).stdout, /try again/);
    assert.match(ended(await run("check", "no-such-template"), 1).stderr, /template/);
  });

  test("for another owner, the link to send them stands there instead of a command", async () => {
    const owner = await world.createUser();
    const { run } = await newPerson({ roles: ["control-plane"] });
    const template = await world.createTemplate(["one"]);
    for (const args of [["check", template.name], ["create", "ws", "--template", template.name]]) {
      const { stdout, stderr } = ended(await run(...args, "--owner", owner.username), 3);
      assert.ok((stdout + stderr).includes(`${service.accessUrl}/external-auth/one`), stdout + stderr);
      assert.doesNotMatch(stdout + stderr, /gatehouse connect/);
    }
  });

  test("create makes a workspace once, with parameters", async () => {
    const { user, run } = await newPerson();
    const template = await world.createTemplate(["one"]);
    await world.link(user, "one");
    const made = ended(await run("create", "box", "--template", template.name, "--parameter", "size=2", "--parameter", "zone=a=b"), 0);
    assert.match(made.stdout, /Workspace +box/);
    const { body } = await world.api("GET", `/api/v2/users/${user.id}/workspaces`, { token: user.token });
    assert.equal(body.workspaces.length, 1);
    assert.match(ended(await run("create", "box", "--template", template.name), 1).stderr, /name/);
    assert.equal(json(await run("create", "box2", "--template", template.id, "--json")).name, "box2");
    ended(await run("create", "Box", "--template", template.name), 1);
    ended(await run("create", "b", "--template", template.name, "--parameter", "x"), 2);
    assert.match(ended(await run("create", "b", "--template", template.name, "--claim-prebuild", "require"), 1).stderr, /prebuilt/);
  });

  test("a create that is refused is 3, names every provider, and leaves nothing", async () => {
    const { user, run } = await newPerson();
    const template = await world.createTemplate(["one", "two"]);
    const { stderr, stdout } = ended(await run("create", "box", "--template", template.name), 3);
    assert.equal(stdout, "");
    for (const id of ["one", "two"]) assert.match(stderr, new RegExp(`gatehouse connect ${id}$`, "m"));
    assert.equal(json(await run("create", "box", "--template", template.name, "--json"), 3).code, "external_auth_required");
    const { body } = await world.api("GET", `/api/v2/users/${user.id}/workspaces`, { token: user.token });
    assert.deepEqual(body.workspaces, []);
  });

  test("create --wait waits until it is mended, then creates one workspace", async () => {
    const { user, person } = await newPerson();
    const template = await world.createTemplate(["one"]);
    const waiting = person.start(["create", "box", "--template", template.name, "--wait"]);
    await waiting.waitForLog(/gatehouse connect one/, 20000);
    assert.equal(waiting.end, undefined);
    await world.link(user, "one");
    assert.equal((await waiting.exited()).code, 0, waiting.story());
    assert.match(waiting.stdout, /Workspace +box/);
    const { body } = await world.api("GET", `/api/v2/users/${user.id}/workspaces`, { token: user.token });
    assert.equal(body.workspaces.length, 1);
  });

  test("create --wait gives up in time", async () => {
    const { run } = await newPerson();
    const template = await world.createTemplate(["one"]);
    const { stderr } = ended(await run("create", "box", "--template", template.name, "--wait", "--timeout", "1s"), 3);
    assert.match(stderr, /Nothing was created/);
    const told = json(await run("create", "box", "--template", template.name, "--wait", "--timeout", "1s", "--json"), 3);
    assert.deepEqual(told.external_auth.map(({ id, reason }) => [id, reason]), [["one", "not_linked"]]);
  });

  test("create --wait for a provider that is down gives up as busy, not as refused", async () => {
    const { user, run } = await newPerson();
    await world.link(user, "down");
    const template = await world.createTemplate(["down"]);
    ended(await run("create", "box", "--template", template.name, "--wait", "--timeout", "1s"), 5);
  });

  test("create --wait that has no time left to wait ends as the gate said", async () => {
    const { user, run } = await newPerson();
    await world.link(user, "down");
    for (const [provider, code] of [["one", 3], ["down", 5]]) {
      const template = await world.createTemplate([provider]);
      ended(await run("create", "box", "--template", template.name, "--wait", "--timeout", "1ms"), code);
    }
  });

  test("connect prints a link that works, and waits until it has", async () => {
    const { user, person, run } = await newPerson();
    const connecting = person.start(["connect", "one"]);
    const [url] = await connecting.waitFor(/^http\S+$/m, 20000);
    await new Browser().travel(url, service);
    assert.equal((await connecting.exited()).code, 0, connecting.story());
    assert.match(connecting.stdout, /Demo one is connected/);
    assert.match(ended(await run("connect", "one"), 0).stdout, /is connected/, "once more is no work");
    const again = person.start(["connect", "one", "--force"]);
    const [second] = await again.waitFor(/^http\S+$/m, 20000);
    assert.equal(again.end, undefined);
    await new Browser().travel(second, service);
    assert.equal((await again.exited()).code, 0, again.story());
    assert.equal((await world.api("GET", "/api/v2/external-auth", { token: user.token })).body.links.length, 1);
  });

  test("connect --no-wait ends at once, and a wait ends in time", async () => {
    const { run } = await newPerson();
    assert.match(ended(await run("connect", "one", "--no-wait"), 0).stdout, /^http\S+$/m);
    assert.match(json(await run("connect", "one", "--no-wait", "--json")).url, /^http/);
    assert.match(ended(await run("connect", "one", "--timeout", "1s"), 3).stderr, /in time/);
    assert.match(ended(await run("connect", "nowhere"), 1).stderr, /nowhere/);
    ended(await run("connect", "one", "--device"), 2);
  });

  test("disconnect", async () => {
    const { user, run } = await newPerson();
    await world.link(user, "one");
    assert.match(ended(await run("disconnect", "one"), 0).stdout, /Disconnected one/);
    ended(await run("disconnect", "one"), 1);
    await world.link(user, "one");
    assert.equal(typeof json(await run("disconnect", "one", "--json")).token_revoked, "boolean");
  });

  test("access-token prints the token alone, or says what to do", async () => {
    const { user, run } = await newPerson();
    const { access_token } = await world.link(user, "one");
    const { stdout, stderr } = ended(await run("access-token", "one"), 0);
    assert.deepEqual([stdout, stderr], [`${access_token}\n`, ""]);
    assert.equal(json(await run("access-token", "one", "--json")).password, access_token);
    const no = ended(await run("access-token", "two"), 3);
    assert.equal(no.stdout, "");
    assert.match(no.stderr, /gatehouse connect two$/m);
    assert.equal(json(await run("access-token", "two", "--json"), 3).external_auth[0].reason, "not_linked");
    await world.link(user, "down");
    ended(await run("access-token", "down"), 5);
    ended(await run("access-token", "nowhere"), 1);
    ended(await run("access-token", "../../../users"), 1);
  });

  test("git-credential answers git, for https and its own host alone", async () => {
    const { user, person } = await newPerson();
    const { access_token } = await world.link(user, "github");
    const one = await world.link(user, "one");
    const ask = (given, ...args) => person.shell(`printf '${given}' | exec "$0" git-credential "$@"`, args);
    assert.equal(ended(await ask("protocol=https\\nhost=github.com\\n\\n", "get"), 0).stdout, `username=x-access-token\npassword=${access_token}\n`);
    assert.equal(ended(await ask("protocol=https\\nhost=git.example.com\\n", "get", "--provider", "one"), 0).stdout, `username=oauth2\npassword=${one.access_token}\n`);
    for (const [given, ...args] of [
      ["protocol=http\\nhost=github.com\\n\\n", "get"], ["protocol=https\\nhost=example.com\\n\\n", "get"], ["", "get"],
      ["protocol=https\\nhost=github.com\\nusername=a\\npassword=b\\n\\n", "store"], ["protocol=https\\nhost=github.com\\n\\n", "erase"], ["x", "capability"],
    ]) {
      const { stdout, stderr } = ended(await ask(given, ...args), 0);
      assert.deepEqual([stdout, stderr], ["", ""], `${given} ${args}`);
    }
    assert.equal(ended(await ask("protocol=https\\nhost=x\\n\\n", "get", "--provider", "two"), 3).stdout, "");
  });

  test("git-credential knows the URLs that a provider's REGEX matches", async () => {
    const { user, person } = await newPerson();
    const { access_token } = await world.link(user, "git");
    const ask = (host, path = "") => person.shell(`printf 'protocol=https\nhost=${host}\n${path && `path=${path}\n`}\n' | exec "$0" git-credential get`, []);
    for (const given of [["git.corp.example"], ["git.corp.example", "team/repo.git"], ["github.com", "corp/repo.git"]])
      assert.equal(ended(await ask(...given), 0).stdout, `username=oauth2\npassword=${access_token}\n`, `${given}`);
    for (const given of [["git.corp.example.evil.example"], ["gitxcorp.example"], ["corp.example", "git.corp.example"],
      ...["/", "?", "#", "@", "\\\\", "%%2f"].map((mark) => [`git.corp.example${mark}.evil.example`]), ["git.corp.example/.evil.example", "x"]])
      assert.equal(ended(await ask(...given), 0).stdout, "", `${given}`);
    assert.equal(ended(await ask("github.com", "alice/repo.git"), 3).stdout, "", "a host that is known asks its own provider");
  });

  test("git-credential gives a vendor's host no token of somebody's own server with the vendor's name", async () => {
    const { user, person } = await newPerson();
    await world.link(user, "gitlab");
    const { stdout, stderr } = ended(await person.shell(`printf 'protocol=https\\nhost=gitlab.com\\n\\n' | exec "$0" git-credential get`, []), 0);
    assert.deepEqual([stdout, stderr], ["", ""]);
  });

  test("git-credential bothers nobody who is not logged in with what is not for it", async () => {
    const person = new Person();
    const ask = (given, ...args) => person.shell(`printf '${given}' | exec "$0" git-credential "$@"`, args);
    for (const [given, ...args] of [
      ["protocol=https\\nhost=example.com\\n\\n", "get"], ["protocol=https\\nhost=github.com\\n\\n", "store"], ["protocol=https\\nhost=github.com\\n\\n", "erase"],
    ]) {
      const { stdout, stderr } = ended(await ask(given, ...args), 0);
      assert.deepEqual([stdout, stderr], ["", ""], `${given} ${args}`);
    }
    assert.match(ended(await ask("protocol=https\\nhost=github.com\\n\\n", "get"), 4).stderr, /gatehouse login/);
  });

  test("git itself gets a token through it", async () => {
    const { user, person } = await newPerson();
    const { access_token } = await world.link(user, "one");
    const filled = await person.shell(
      `printf 'protocol=https\\nhost=git.example.com\\n\\n' | git -c credential.helper= -c "credential.https://git.example.com.helper=!'$0' git-credential --provider one" credential fill`,
      [], { environment: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" } });
    assert.match(ended(filled, 0).stdout, new RegExp(`^password=${access_token}$`, "m"));
  });

  test("decisions are for auditors, filtered and paged", async () => {
    const { user, run } = await newPerson();
    const template = await world.createTemplate(["two"]);
    ended(await run("check", template.name), 3);
    assert.match(ended(await run("decisions"), 1).stderr, /roles/);
    const auditor = await newPerson({ roles: ["auditor"] });
    const listed = await eventually("the decision is in the log", async () => {
      const { stdout } = ended(await auditor.run("decisions", "--owner", user.username, "--outcome", "refused", "--limit", "5"), 0);
      return stdout.includes("not_linked") && stdout;
    });
    assert.match(listed, new RegExp(`${user.username} +create +refused +not_linked +\\S+$`, "m"));
    assert.equal(json(await auditor.run("decisions", "--json", "--owner", user.username)).decisions.length, 1);
    ended(await auditor.run("decisions", "--outcome", "maybe"), 1);
  });

  test("a service that is away is exit 1 and said in one sentence", async () => {
    const person = new Person({ environment: { GATEHOUSE_URL: "http://127.0.0.1:9", GATEHOUSE_TOKEN: "x" } });
    for (const args of [["whoami"], ["status"], ["check", "x"], ["access-token", "x"], ["decisions"]]) {
      const { code, stderr, stdout } = await person.run(args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^gatehouse: http:\/\/127\.0\.0\.1:9 cannot be reached\..*\n$/);
    }
  });

  test("an answer that cannot be written is a failure", async () => {
    const { person } = await newPerson();
    ended(await person.shell('exec "$0" "$@" >/dev/full', ["whoami"]), 1);
  });
});

describe("against a service that misbehaves", { concurrency: 4 }, () => {
  async function newFake(t) {
    const server = await LoginServer.start();
    t.after(() => server.stop());
    const { access_token } = server.mint();
    const person = new Person({ environment: { GATEHOUSE_URL: server.url, GATEHOUSE_TOKEN: access_token } });
    server.intercept["/api/v2/templates/t"] = (_, answer) => (answer(200, { id: "T", active_version_id: "V" }), true);
    return { server, person };
  }

  test("a create whose answer is lost is sent again with the same key", async (t) => {
    const { server, person } = await newFake(t);
    let count = 0;
    server.intercept["/api/v2/users/me/workspaces"] = (_, answer) => {
      if (++count === 1) return answer.drop(), true;
      if (count === 2) return answer(409, { message: "Still running.", code: "idempotency_key_in_use" }), true;
      return answer(201, { name: "box", latest_build: { status: "pending" } }), true;
    };
    ended(await person.run(["create", "box", "--template", "t"]), 0);
    const keys = server.requests.filter(({ path }) => path.endsWith("/workspaces")).map(({ key }) => key);
    assert.equal(keys.length, 3);
    assert.match(keys[0], /^[0-9a-f-]{36}$/);
    assert.equal(new Set(keys).size, 1);
  });

  test("a provider's device flow is obeyed: code shown, interval kept, slow_down added", async (t) => {
    const { server, person } = await newFake(t);
    let linked = false;
    const polls = [];
    server.intercept["/api/v2/external-auth/hub"] = (_, answer) => (answer(200, { authenticated: linked, device: true, display_name: "Hub", user: linked ? { login: "alice" } : null }), true);
    server.intercept["/api/v2/external-auth/hub/device"] = (asked, answer) => {
      if (asked.method === "GET") return answer(200, { device_code: "handle", user_code: "HUBB-1234", verification_uri: "https://hub.example.com/device", expires_in: 60, interval: 1 }), true;
      polls.push(asked.at);
      assert.equal(JSON.parse(asked.text).device_code, "handle");
      if (polls.length < 3) return answer(400, { message: "Not yet.", code: "provider_refused", detail: polls.length === 1 ? "authorization_pending" : "slow_down" }), true;
      linked = true;
      return answer(204, ""), true;
    };
    const { stdout } = ended(await person.run(["connect", "hub"]), 0);
    assert.match(stdout, /HUBB-1234/);
    assert.match(stdout, /connected as alice/);
    assert.ok(polls[1] - polls[0] >= 900 && polls[2] - polls[1] >= 5900, `${polls}`);
    linked = false;
    polls.length = 0;
    server.intercept["/api/v2/external-auth/hub/device"] = (asked, answer) => (asked.method === "GET"
      ? answer(200, { device_code: "h", user_code: "C", verification_uri: "https://hub.example.com/device", expires_in: 60, interval: 1 })
      : answer(400, { message: "Denied.", code: "provider_refused", detail: "access_denied" }), true);
    assert.match(ended(await person.run(["connect", "hub"]), 1).stderr, /Denied/);
    server.intercept["/api/v2/external-auth/hub/device"] = (asked, answer) => (asked.method === "GET"
      ? answer(200, { device_code: "h", user_code: "C", verification_uri: "https://hub.example.com/device", expires_in: 60, interval: 1 })
      : answer(401, { message: "No.", code: "unauthenticated" }), true);
    ended(await person.run(["connect", "hub"]), 4);
  });

  test("connect waits on through a moment in which the service cannot answer", async (t) => {
    const { server, person } = await newFake(t);
    let asked = 0;
    server.intercept["/api/v2/users/me/external-auth/hub/link-url"] = (_, answer) => (answer(201, { url: "https://gate.example.com/x" }), true);
    server.intercept["/api/v2/external-auth/hub"] = (_, answer) => {
      asked++;
      return (asked === 2 ? answer(503, { message: "Later.", code: "database_unavailable" }) : answer(200, { authenticated: asked > 2, device: false, display_name: "Hub", user: null })), true;
    };
    assert.match(ended(await person.run(["connect", "hub"]), 0).stdout, /Hub is connected/);
    assert.equal(asked, 4);
  });

  test("a token with a line break never becomes two lines for git", async (t) => {
    const { server, person } = await newFake(t);
    server.intercept["/api/v2/users/me/external-auth/one/token"] = (_, answer) => (answer(200, { username: "u", password: "a\nhost=evil" }), true);
    const { stdout } = ended(await person.shell(`printf 'protocol=https\\nhost=x\\n\\n' | exec "$0" git-credential get --provider one`, []), 1);
    assert.doesNotMatch(stdout, /evil/);
  });
});
