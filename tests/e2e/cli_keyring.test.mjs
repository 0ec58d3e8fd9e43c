// SPDX-License-Identifier: Apache-2.0
// A login in the keyring: the tokens are there alone, rotate there, and a keyring that fails is never replaced by a file.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { lockName, Person } from "../support/cli.mjs";
import { LoginServer } from "../support/login_server.mjs";
import { isSanitized, temporaryDirectory } from "../support/serve.mjs";

const skip = isSanitized() ? "a library made without the sanitizer stands in for libsecret" : false;
const library = temporaryDirectory("ghsecret-");
execFileSync("cc", ["-D_GNU_SOURCE", "-shared", "-fPIC", "-o", join(library, "libsecret-1.so.0"), fileURLToPath(new URL("../support/fake_libsecret.c", import.meta.url))]);
const server = await LoginServer.start();
// The lock of a login in the keyring is below the home that the password file names, whatever HOME says.
const lock = join(userInfo().homedir, ".local/state/gatehouse", lockName(server.url));
after(() => {
  rmSync(lock, { force: true });
  return server.stop();
});

test("login, refresh and logout, with no token in any file of ours", { skip }, async () => {
  const person = new Person();
  const keyring = join(person.home, "keyring");
  mkdirSync(keyring);
  person.extra = { LD_LIBRARY_PATH: library, FAKE_KEYRING: keyring };
  const held = () => JSON.parse(readFileSync(join(keyring, readdirSync(keyring)[0]), "utf8"));
  const text = () => readFileSync(person.tokenFile, "utf8");

  const login = await person.run(["login", "--url", server.url, "--store", "keyring"]);
  assert.equal(login.code, 0, login.stderr);
  assert.doesNotMatch(text(), /gh_|ghr_/);
  assert.equal(person.login().store, "keyring");
  const first = held();

  // The token is too old to be used.
  writeFileSync(join(keyring, readdirSync(keyring)[0]), JSON.stringify({ ...first, expires_at_ms: 1 }));
  const ends = await Promise.all(Array.from({ length: 6 }, () => person.run(["whoami"])));
  for (const { code, stderr } of ends) assert.equal(code, 0, stderr);
  assert.equal(server.refreshes(), 1);
  assert.notEqual(held().refresh_token, first.refresh_token);
  assert.equal(statSync(lock).mode & 0o777, 0o600);
  assert.doesNotMatch(text(), /gh_|ghr_/);

  const locked = await person.run(["whoami"], { environment: { FAKE_KEYRING_LOCKED: "1" } });
  assert.equal(locked.code, 1);
  assert.match(locked.stderr, /keyring.*locked/);

  assert.match((await person.run(["status", "--verbose"])).stderr, /nothing here/);
  const { refresh_token } = held();
  assert.equal((await person.run(["logout"])).code, 0);
  assert.deepEqual(readdirSync(keyring), []);
  assert.equal(server.requests.at(-1).form.get("token"), refresh_token);
});
