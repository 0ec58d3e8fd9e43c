// SPDX-License-Identifier: Apache-2.0
// The program as an operator meets it: help, usage, the configuration and what is wrong with it, the database and what
// may be wrong with that, what is printed where, and with which code it ends.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../support/postgres.mjs";
import { DemoProvider } from "../support/provider.mjs";
import { freePort } from "../support/process.mjs";
import { newKey, newSecret, runGatehouse } from "../support/service.mjs";
import { assertSentence, openWorld, refusedStart, Serve, temporaryDirectory } from "../support/serve.mjs";

const directory = temporaryDirectory();
let fileCount = 0;
function writeTemporary(text, ending = "txt") {
  const path = join(directory, `f${++fileCount}.${ending}`);
  writeFileSync(path, text);
  return path;
}

const run = (args, environment = {}) => runGatehouse(args, { HOME: directory, ...environment });
const upper = (key) => key.toUpperCase();
const dashed = (key) => `--${key.replaceAll("_", "-")}`;

// Asserts exit 2 and, for each of `expected` ([place, key, allowed]), a line that names all three.
function assertRefused(outcome, expected, never = []) {
  const told = `${JSON.stringify(expected.map(String))}\n${outcome.stderr}`;
  assert.equal(outcome.code, 2, `exit code ${outcome.code}: ${told}`);
  assert.equal(outcome.stdout, "", "stdout is for answers");
  for (const [place, key, allowed] of expected) {
    const line = outcome.stderr.split("\n").find((each) => each.includes(place) && new RegExp(key, "i").test(each) && (!allowed || allowed.test(each)));
    assert.ok(line, `no line names ${place}, ${key} and ${allowed}: ${told}`);
    assert.match(line, /^gatehouse: /);
  }
  for (const secret of never) assert.ok(!outcome.stderr.includes(secret), `it tells a secret: ${outcome.stderr}`);
}

// ------------------------------------------------------------------------------------------------------ help and usage

const SUBCOMMANDS = [["serve"], ["check-config"], ["migrate"], ["token", "create"]];
const SETTINGS = [
  "http_address", "admin_address", "access_url", "tls_cert_file", "tls_key_file", "pg_connection_url", "state_dir",
  "external_token_encryption_keys", "allow_cleartext_tokens", "bootstrap_admin_token", "log_level", "log_format", "http_threads",
  "gate_timeout", "enforcement", "config", "pg_prepare",
];
const SECRETS = new Set(["pg_connection_url", "external_token_encryption_keys", "bootstrap_admin_token"]);

describe("help", () => {
  test("--help names every subcommand and every exit code", async () => {
    const { code, stdout, stderr } = await run(["--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const name of ["serve", "check-config", "migrate", "token", "--help", "--version"]) assert.ok(stdout.includes(name), name);
    assert.match(stdout, /Exit codes:/);
  });

  test("--version names a version", async () => {
    const { code, stdout, stderr } = await run(["--version"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^gatehouse \d+\.\d+\.\d+\n$/);
  });

  for (const words of SUBCOMMANDS)
    test(`${words.join(" ")} --help explains every option`, async () => {
      const { code, stdout, stderr } = await run([...words, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      for (const key of SETTINGS) {
        assert.ok(stdout.includes(`GATEHOUSE_${upper(key)}`), `GATEHOUSE_${upper(key)}`);
        assert.ok(stdout.includes(SECRETS.has(key) ? `${dashed(key)}-file` : dashed(key)), dashed(key));
      }
      assert.match(stdout, /_FILE/);
      assert.match(stdout, /GATEHOUSE_EXTERNAL_AUTH_<N>_<NAME>/);
      for (const line of stdout.split("\n")) assert.ok(line.length <= 120, `a line that wraps: ${line}`);
    });

  test("help wants no configuration that is right", async () => {
    for (const words of SUBCOMMANDS) assert.equal((await run([...words, "--help"], { GATEHOUSE_ENFORCEMENT: "wrong" })).code, 0);
  });

  for (const args of [[], ["sevre"], ["serve", "--htp-address", "x"], ["serve", "stray"], ["check-config", "--no-such"], ["migrate", "-x"],
    ["token"], ["token", "make"], ["token", "create"], ["token", "create", "--user"], ["serve", "--http-address"], ["--no-such"]])
    test(`wrong usage: ${args.join(" ") || "(nothing)"}`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /gatehouse/);
      if (args.length > 0) assert.match(stderr, /help|did you mean|value/);
    });

  test("a flag that is nearly right is guessed", async () => {
    assertRefused(await run(["check-config", "--gate-timout", "3s"]), [["--gate-timout", "flag", /--gate-timeout/]]);
  });

  test("a secret is no flag", async () => {
    const secret = newSecret();
    for (const key of SECRETS)
      assertRefused(await run(["check-config", dashed(key), secret]), [[dashed(key), key, new RegExp(`${dashed(key)}-file`)]], [secret]);
  });
});

// -------------------------------------------------------------------------------------------------------- check-config

const key16 = randomBytes(16).toString("base64");
const WRONG = [
  ["http_address", ["8484", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:http", "a b:80", "300.1.1.1:80", "[::1]:80", ":8484"], /host:port/],
  ["admin_address", ["8485", "127.0.0.1:-1", "127.0.0.1:65536"], /host:port/],
  ["access_url", ["gatehouse.example.com", "ftp://a.example.com", "https://", "https://a.example.com/?q=1", "https://a.example.com/#f", "https://a.example.com:99999", "https://a b"], /https:\/\//],
  ["tls_cert_file", ["/nonexistent/cert.pem", "/"], /file/],
  ["tls_key_file", ["/nonexistent/key.pem"], /file/],
  ["pg_prepare", ["maybe", "2"], /true|on/],
  ["external_token_encryption_keys", ["short", key16, `${newKey()},`, `${newKey()},${key16}`, "!".repeat(44)], /base64.*32/],
  ["allow_cleartext_tokens", ["perhaps", "tru"], /true/],
  ["bootstrap_admin_token", ["a token with blanks", "tökén"], /allowed/],
  ["log_level", ["loud", "0"], /debug.*info.*warn.*error/],
  ["log_format", ["xml"], /json.*text/],
  ["http_threads", ["0", "-4", "lots", "1.5", "99999999999999999999", "10k"], /from \d+ to \d+/],
  ["gate_timeout", ["10", "-1s", "10 s", "0s", "1d", "s", "ten seconds", "99999h"], /10s.*from .* to /],
  ["enforcement", ["allow", "inherit", "deny,warn"], /deny.*warn.*dryrun/],
];

describe("check-config refuses, naming key, place and what is allowed", () => {
  for (const [key, values, allowed] of WRONG)
    test(key, async () => {
      for (const value of values) {
        const never = SECRETS.has(key) ? [value] : [];
        assertRefused(await run(["check-config"], { [`GATEHOUSE_${upper(key)}`]: value }), [[`GATEHOUSE_${upper(key)}`, key, allowed]], never);
        const file = writeTemporary(`# a comment\n\n${key}: ${JSON.stringify(value)}\n`, "yaml");
        assertRefused(await run(["check-config", "--config", file]), [[`${file}:3`, key, allowed]], never);
        if (!SECRETS.has(key))
          assertRefused(await run(["check-config", `${dashed(key)}=${value}`]), [[dashed(key), key, allowed]]);
        else {
          const secretFile = writeTemporary(`${value}\n`);
          assertRefused(await run(["check-config", `${dashed(key)}-file`, secretFile]), [[`${dashed(key)}-file`, key, allowed]], never);
          assertRefused(await run(["check-config"], { [`GATEHOUSE_${upper(key)}_FILE`]: secretFile }), [[`GATEHOUSE_${upper(key)}_FILE`, key, allowed]], never);
        }
      }
    });

  test("one half of TLS", async () => {
    const file = writeTemporary("x");
    assertRefused(await run(["check-config"], { GATEHOUSE_TLS_CERT_FILE: file }), [["TLS_KEY_FILE", "tls_key_file"]]);
    assertRefused(await run(["check-config"], { GATEHOUSE_TLS_KEY_FILE: file }), [["TLS_CERT_FILE", "tls_cert_file"]]);
  });

  test("an external database without keys", async () => {
    const url = "postgresql://gate:hunter2hunter2@db.example.com/gate";
    for (const command of SUBCOMMANDS.map(([word]) => word).filter((word) => word !== "token"))
      assertRefused(await run([command], { GATEHOUSE_PG_CONNECTION_URL: url }),
        [["GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS", "external_token_encryption_keys", /openssl rand -base64 32.*GATEHOUSE_ALLOW_CLEARTEXT_TOKENS/]], ["hunter2hunter2"]);
    assert.equal((await run(["check-config"], { GATEHOUSE_PG_CONNECTION_URL: url, GATEHOUSE_ALLOW_CLEARTEXT_TOKENS: "true" })).code, 0);
    assert.equal((await run(["check-config"], { GATEHOUSE_PG_CONNECTION_URL: url, GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey() })).code, 0);
  });

  test("a connection string that is none, with every command", async () => {
    for (const value of ["nonsense", "postgresql://gate:hunter2hunter2@[nonsense", "host=db pasword=hunter2hunter2"]) {
      const clear = { GATEHOUSE_ALLOW_CLEARTEXT_TOKENS: "true" };
      const expected = (place) => [[place, "pg_connection_url", /allowed: postgresql:\/\//]];
      for (const words of [["check-config"], ["serve"], ["migrate"]])
        assertRefused(await run(words, { ...clear, GATEHOUSE_PG_CONNECTION_URL: value }), expected("GATEHOUSE_PG_CONNECTION_URL"), [value, "hunter2hunter2"]);
      const secretFile = writeTemporary(`${value}\n`);
      assertRefused(await run(["check-config"], { ...clear, GATEHOUSE_PG_CONNECTION_URL_FILE: secretFile }), expected("GATEHOUSE_PG_CONNECTION_URL_FILE"), [value]);
      const file = writeTemporary(`# a comment\n\npg_connection_url: ${JSON.stringify(value)}\n`, "yaml");
      assertRefused(await run(["check-config", "--config", file], clear), expected(`${file}:3`), [value]);
    }
  });

  test("everything at once", async () => {
    const file = writeTemporary("gate_timeout: 3\nlog_level: loud\nexternal_auth:\n  - id: Bad_Id\n    type: github\n", "yaml");
    const outcome = await run(["check-config", "--config", file, "--http-threads", "none"], { GATEHOUSE_ENFORCEMENT: "allow", GATEHOUSE_LOG_FORMAT: "xml" });
    assertRefused(outcome, [
      [`${file}:1`, "gate_timeout"], [`${file}:2`, "log_level"], ["--http-threads", "http_threads"],
      ["GATEHOUSE_ENFORCEMENT", "enforcement"], ["GATEHOUSE_LOG_FORMAT", "log_format"],
      [file, "id"], [file, "client_id"],
    ]);
  });

  test("serve says the same as check-config", async () => {
    const environment = { GATEHOUSE_GATE_TIMEOUT: "10", GATEHOUSE_HTTP_ADDRESS: "nowhere" };
    const [checked, served] = [await run(["check-config"], environment), await run(["serve"], environment)];
    assert.deepEqual([served.code, served.stderr], [2, checked.stderr]);
  });
});

describe("the file", () => {
  test("that is not there, is a directory, or may not be read", async () => {
    for (const path of ["/nonexistent/gatehouse.yaml", directory]) {
      assertRefused(await run(["check-config", "--config", path]), [["--config", "config", new RegExp(path)]]);
      assertRefused(await run(["check-config"], { GATEHOUSE_CONFIG: path }), [["GATEHOUSE_CONFIG", "config", new RegExp(path)]]);
    }
  });

  for (const [what, text, line, pattern] of [
    ["no YAML", "a: [1,\nb: }\n", null, /YAML/],
    ["an unknown key", "log_level: info\nlog_lvel: info\n", 2, /log_level/],
    ["a key twice", "log_level: info\nlog_level: warn\n", 2, /twice/],
    ["a list where a text belongs", "log_level:\n  - info\n", 2, /text/],
    ["no list of providers", "external_auth: github\n", 1, /list/],
    ["an unknown field of a provider", "external_auth:\n  - type: github\n    client_id: x\n    client_secert: y\n", 4, /client_secret/],
    ["a second document", "log_level: info\n---\nlog_level: info\n", null, /document/],
  ])
    test(`with ${what}`, async () => {
      const file = writeTemporary(text, "yaml");
      assertRefused(await run(["check-config", "--config", file]), [[line ? `${file}:` : file, ".", pattern]]);
    });

  test("that bombs with aliases is refused at once", async () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [now, before] of [..."bcdefghi"].map((letter, i) => [letter, "abcdefgh"[i]])) bomb.push(`${now}: &${now} [${Array(9).fill(`*${before}`).join(", ")}]`);
    const begun = Date.now();
    assert.equal((await run(["check-config", "--config", writeTemporary(`${bomb.join("\n")}\n`, "yaml")])).code, 2);
    assert.ok(Date.now() - begun < 5000);
  });

  test("as the README shows it is good", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const example = readme.match(/```yaml\n([\s\S]*?)```/)[1];
    const secret = writeTemporary(newSecret());
    const key = writeTemporary(newKey());
    const database = writeTemporary("postgresql://gate@db.example.com/gate");
    const file = writeTemporary(example.replace(/\/etc\/gatehouse\/database/g, database).replace(/\/etc\/gatehouse\/keys/g, key).replace(/\/etc\/gatehouse\/\w+/g, secret), "yaml");
    const { code, stdout, stderr } = await run(["check-config", "--config", file]);
    assert.equal(code, 0, stderr);
    for (const id of ["github", "gitlab-internal", "idp"]) assert.ok(stdout.includes(id), id);
  });
});

// ----------------------------------------------------------------------------------------------------------- providers

const plain = { id: "one", type: "oidc", client_id: "x", client_secret: "s3cr3t-s3cr3t", auth_url: "https://a.example.com/a", token_url: "https://a.example.com/t" };
const variables = (list) => Object.fromEntries(list.flatMap((provider, n) => Object.entries(provider).filter(([, value]) => value !== undefined).map(([name, value]) => [`GATEHOUSE_EXTERNAL_AUTH_${n}_${upper(name)}`, value])));
const yamlOf = (list) => `external_auth:\n${list.map((provider) => Object.entries(provider).filter(([, value]) => value !== undefined).map(([name, value], i) => `${i === 0 ? "  - " : "    "}${name}: ${JSON.stringify(value)}\n`).join("")).join("")}`;

// By variables and by file. The variable that names the field is the place; in the file, the line where it has one.
async function assertProvidersRefused(list, field, allowed, { number = list.length - 1 } = {}) {
  assertRefused(await run(["check-config"], variables(list)), [[`GATEHOUSE_EXTERNAL_AUTH_${number}`, field, allowed]], ["s3cr3t-s3cr3t"]);
  const file = writeTemporary(yamlOf(list), "yaml");
  assertRefused(await run(["check-config", "--config", file]), [[`${file}:`, field, allowed]], ["s3cr3t-s3cr3t"]);
}

const URL_FIELDS = ["issuer", "auth_url", "token_url", "validate_url", "revoke_url", "redirect_url", "device_code_url", "app_install_url", "app_installations_url", "api_base_url"];
describe("a provider is refused", () => {
  test("whose id is not lawful", async () => {
    for (const id of ["Git", "a_b", "a b", "a".repeat(65), "gît", "a/b"]) await assertProvidersRefused([{ ...plain, id }], "id", /1 to 64.*digits/);
  });
  test("whose type, taken as its id, is not lawful", async () => {
    await assertProvidersRefused([{ ...plain, id: undefined, type: "my type" }], "id", /1 to 64.*digits/);
  });
  test("without a client id", () => assertProvidersRefused([{ ...plain, client_id: undefined }], "client_id"));
  test("whose id another has", async () => {
    await assertProvidersRefused([plain, plain], "id", /one/);
    await assertProvidersRefused([{ type: "github", client_id: "x" }, { type: "GitHub", client_id: "y" }], "id", /github/);
  });
  test("whose REGEX does not compile", async () => {
    for (const regex of ["(", "[a", "a{2,1}"]) await assertProvidersRefused([{ ...plain, regex }], "regex");
  });
  test("with DEVICE_FLOW and no device URL", () => assertProvidersRefused([{ ...plain, device_flow: "true" }], "device_(flow|code_url)", /device_code_url|DEVICE_CODE_URL/));
  for (const field of URL_FIELDS)
    test(`whose ${field} is neither https nor loopback http`, async () => {
      for (const url of ["http://a.example.com/x", "ftp://a.example.com/x", "a.example.com", "https://", "javascript:alert(1)", "http://127.0.0.1.example.com/x", "http://localhost.example.com/x", "http://localhost@a.example.com/x"])
        await assertProvidersRefused([{ ...plain, [field]: url }], field, /https/);
    });
  for (const [type, missing, field] of [
    ["oidc", ["auth_url"], "auth_url"], ["oidc", ["token_url"], "token_url"], ["bitbucket-server", ["auth_url", "token_url"], "auth_url"],
    ["azure-devops-entra", ["auth_url", "token_url"], "auth_url"], ["jfrog", ["auth_url", "token_url"], "auth_url"],
  ])
    test(`of type ${type} without ${missing.join(" and ")}`, () => assertProvidersRefused([{ ...plain, type, ...Object.fromEntries(missing.map((name) => [name, undefined])) }], field));
  for (const [field, values, allowed] of [
    ["pkce_methods", ["plain", "s384", "S256 plain"], /S256.*none/], ["fail_mode", ["shut", "open closed"], /closed.*open.*last_known_good/],
    ["last_known_good_max_age", ["1", "-1h"], /1h|10s|from/], ["min_valid", ["60", "x"], /s/], ["gate_max_age", ["5"], /s/], ["preflight_max_age", ["5"], /s/],
    ["refresh_retry_timeout", ["5"], /s/], ["enforcement", ["allow"], /deny.*warn.*dryrun/], ["device_flow", ["perhaps"], /true/], ["no_refresh", ["perhaps"], /true/],
  ])
    test(`whose ${field} is wrong`, async () => {
      for (const value of values) await assertProvidersRefused([{ ...plain, [field]: value }], field, allowed);
    });
  test("whose number follows a hole", async () => {
    const environment = { ...variables([plain]), ...Object.fromEntries(Object.entries({ ...plain, id: "two" }).map(([name, value]) => [`GATEHOUSE_EXTERNAL_AUTH_2_${upper(name)}`, value])) };
    assertRefused(await run(["check-config"], environment), [["GATEHOUSE_EXTERNAL_AUTH_1", "external_auth", /hole/]]);
  });
  test("by a variable that names no field", async () => {
    assertRefused(await run(["check-config"], { ...variables([plain]), GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECERT: "x" }), [["GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECERT", ".", /CLIENT_SECRET/]]);
    assertRefused(await run(["check-config"], { ...variables([plain]), GATEHOUSE_EXTERNAL_AUTH_X_ID: "x" }), [["GATEHOUSE_EXTERNAL_AUTH_X_ID", "external_auth"]]);
  });
  test("whose secret's file is not there, by its name and not its content", async () => {
    assertRefused(await run(["check-config"], { ...variables([{ ...plain, client_secret: undefined }]), GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRET_FILE: "/nonexistent/s" }),
      [["GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRET_FILE", "client_secret", /\/nonexistent\/s/]]);
  });
});

describe("check-config is content", () => {
  const good = async (args, environment) => {
    const outcome = await run(["check-config", ...args], environment);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome.stdout;
  };
  test("with nothing at all", () => good([], {}));
  test("with loopback http for a provider", async () => {
    for (const host of ["127.0.0.1:8000", "localhost:8000", "localhost"])
      await good([], variables([{ ...plain, auth_url: `http://${host}/a`, token_url: `http://${host}/t` }]));
  });
  test("with every preset", async () => {
    const types = ["github", "gitlab", "gitea", "bitbucket-cloud", "bitbucket", "azure-devops", "slack"].map((type) => ({ type, client_id: "x", client_secret: "y" }));
    types[4].id = "bitbucket-too";
    types.push(...["bitbucket-server", "azure-devops-entra", "jfrog"].map((type) => ({ type, client_id: "x", client_secret: "y", auth_url: "https://a.example.com/tenant/oauth2/authorize" })));
    const stdout = await good([], variables(types));
    for (const { type } of types) assert.ok(stdout.includes(type), type);
  });
  test("with an issuer in the place of URLs", () => good([], variables([{ ...plain, issuer: "https://a.example.com", auth_url: undefined, token_url: undefined }])));
  test("with types in any case", async () => assert.match(await good([], variables([{ type: "GitHub", client_id: "x" }])), /github/));
  test("with an empty admin address", () => good([], { GATEHOUSE_ADMIN_ADDRESS: "" }));
  test("with the README's words in any form of flag", () => good(["--gate-timeout", "1m30s", "--enforcement=warn", "--log-level", "debug"], {}));
  test("and repeats no secret", async () => {
    const secrets = [newSecret(), newKey(), newSecret(), "hunter2hunter2"];
    const stdout = await good([], {
      ...variables([{ ...plain, client_secret: secrets[0] }]), GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: secrets[1],
      GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN: secrets[2], GATEHOUSE_PG_CONNECTION_URL: "postgresql://u:hunter2hunter2@db.example.com/x",
    });
    for (const secret of secrets) assert.ok(!stdout.includes(secret));
  });
});

// --------------------------------------------------------------------------------------------------- with a database

const cluster = await Cluster.share();
after(() => cluster.stop());
const external = async (more = {}) => ({ GATEHOUSE_PG_CONNECTION_URL: cluster.url(await cluster.createDatabase()), GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey(), ...more });
const serveOn = (databaseUrl, { settings = {}, ...more } = {}) => new Serve({ databaseUrl, settings, stateDirectory: join(directory, "unused"), ...more });

describe("flag over environment over file over default", () => {
  test("for an address", async () => {
    const [byFlag, byVariable, byFile] = [await freePort(), await freePort(), await freePort()];
    const config = writeTemporary(`http_address: 127.0.0.1:${byFile}\nlog_level: debug\n`, "yaml");
    const databaseUrl = cluster.url(await cluster.createDatabase());
    const key = newKey();
    for (const [args, variable, expected] of [
      [["--http-address", `127.0.0.1:${byFlag}`], `127.0.0.1:${byVariable}`, byFlag], [[], `127.0.0.1:${byVariable}`, byVariable], [[], undefined, byFile],
    ]) {
      const serve = await serveOn(databaseUrl, { key, settings: { HTTP_ADDRESS: variable, CONFIG: config }, args }).start();
      assert.equal(serve.accessUrl, `http://127.0.0.1:${expected}`);
      await serve.end();
    }
  });

  test("a value that is beaten is not in the way", async () => {
    const config = writeTemporary("log_level: loud\n", "yaml");
    assert.equal((await run(["check-config", "--config", config, "--log-level", "warn"], { GATEHOUSE_LOG_LEVEL: "louder" })).code, 0);
  });
});

describe("secrets from files", () => {
  for (const newline of ["", "\n", "\r\n"])
    test(`ending in ${JSON.stringify(newline)}`, async () => {
      const [token, key] = [newSecret(), newKey()];
      const url = cluster.url(await cluster.createDatabase());
      const serve = serveOn(undefined, { adminToken: token, key, settings: {
        PG_CONNECTION_URL_FILE: writeTemporary(url + newline), EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined,
        EXTERNAL_TOKEN_ENCRYPTION_KEYS_FILE: writeTemporary(key + newline), BOOTSTRAP_ADMIN_TOKEN: undefined, BOOTSTRAP_ADMIN_TOKEN_FILE: writeTemporary(token + newline),
      } });
      await serve.start();
      assert.equal((await serve.admin("GET", "/api/v2/users/me")).body.username, "admin");
      await serve.end();
    });

  test("beside the same from the variable are refused", async () => {
    const outcome = await run(["check-config"], { GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN: "one-one-one", GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: writeTemporary("two-two-two") });
    assertRefused(outcome, [["GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN", "bootstrap_admin_token"]], ["one-one-one", "two-two-two"]);
  });

  test("that are empty are refused", async () => {
    const path = writeTemporary("\n");
    assertRefused(await run(["check-config"], { GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: path }), [["GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE", "bootstrap_admin_token", new RegExp(path)]]);
  });
});

const migrationFiles = readdirSync(new URL("../../schema/migrations", import.meta.url)).filter((name) => name.endsWith(".sql"));

describe("migrate", () => {
  test("migrates once, and says so", async () => {
    const environment = await external();
    const [first, second] = [await run(["migrate"], environment), await run(["migrate"], environment)];
    assert.deepEqual([first.code, second.code], [0, 0], first.stderr + second.stderr);
    assert.match(first.stdout, new RegExp(`\\b${migrationFiles.length} migration`));
    assert.match(second.stdout, /\b0 migration/);
    const serve = await serveOn(environment.GATEHOUSE_PG_CONNECTION_URL, { key: environment.GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS }).start();
    await serve.end();
  });
});

describe("token create", () => {
  test("makes a user and a token that works, on an empty database too", async () => {
    const environment = await external();
    const made = await run(["token", "create", "--user", "root-of-all", "--role", "admin", "--role", "auditor", "--name", "the first", "--lifetime", "2h"], environment);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^\S{20,}\n$/);
    const serve = await serveOn(environment.GATEHOUSE_PG_CONNECTION_URL, { key: environment.GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS }).start();
    const token = made.stdout.trim();
    const me = await serve.request("GET", "/api/v2/users/me", { token });
    assert.deepEqual([me.status, me.body.username, [...me.body.roles].sort()], [200, "root-of-all", ["admin", "auditor", "member"]]);
    const { body } = await serve.request("GET", "/api/v2/users/me/keys/tokens", { token });
    const entries = Object.values(body).find(Array.isArray);
    assert.equal(entries.length, 1);
    assert.equal(entries[0].name, "the first");
    assert.ok(Math.abs(Date.parse(entries[0].expires_at) - Date.now() - 7200e3) < 60e3, entries[0].expires_at);
    const again = await run(["token", "create", "--user", "root-of-all"], environment);
    assert.equal(again.code, 0, again.stderr);
    assert.notEqual(again.stdout.trim(), token);
    assert.equal((await serve.request("GET", "/api/v2/users/me", { token: again.stdout.trim() })).status, 200);
    await serve.end();
  });

  test("does not raise a user who exists", async () => {
    const environment = await external();
    assert.equal((await run(["token", "create", "--user", "plain"], environment)).code, 0);
    const raised = await run(["token", "create", "--user", "plain", "--role", "admin"], environment);
    assertSentence(raised, 1, [/plain/, /roles?/]);
    assert.equal(raised.stdout, "");
  });

  for (const [what, args, pattern] of [
    ["a role", ["--user", "x", "--role", "emperor"], /template-author.*admin/], ["a lifetime", ["--user", "x", "--lifetime", "forever"], /lifetime/],
    ["a lifetime without a unit", ["--user", "x", "--lifetime", "3600"], /lifetime/], ["a lifetime that is too short", ["--user", "x", "--lifetime", "1ms"], /lifetime.*1s.*8760h/],
    ["a lifetime that is too long", ["--user", "x", "--lifetime", "87600h"], /lifetime/], ["a user", ["--user", "Not_Lawful"], /user/], ["no user", [], /--user/],
  ])
    test(`wrong: ${what}`, async () => {
      const outcome = await run(["token", "create", ...args], await external());
      assertSentence(outcome, 2, [pattern]);
      assert.equal(outcome.stdout, "");
    });

  test("without a database it says what to do", async () => {
    const outcome = await run(["token", "create", "--user", "x"], {
      GATEHOUSE_PG_CONNECTION_URL: `postgresql://gate:hunter2hunter2@127.0.0.1:${await freePort()}/gate`, GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey(),
    });
    assertSentence(outcome, 1, [/database/i], ["hunter2hunter2"]);
  });
});

// ---------------------------------------------------------------------------------------------- what stops a start

describe("one sentence, and exit 1, or 2 where a setting is wrong", () => {
  const commands = [["migrate"], ["serve"], ["token", "create", "--user", "x"]];
  const outcomes = async (environment) => {
    const all = [];
    for (const words of commands) all.push(await run(words, { GATEHOUSE_HTTP_ADDRESS: "127.0.0.1:0", GATEHOUSE_ADMIN_ADDRESS: "", ...environment }));
    return all;
  };

  test("the database cannot be reached", async () => {
    for (const url of [`postgresql://gate:hunter2hunter2@127.0.0.1:${await freePort()}/gate`, `postgresql:///gate?host=/nonexistent&user=gate&password=hunter2hunter2`])
      for (const outcome of await outcomes({ GATEHOUSE_PG_CONNECTION_URL: url, GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey() }))
        assertSentence(outcome, 1, [/database|PostgreSQL/, /GATEHOUSE_PG_CONNECTION_URL|start|check/i], ["hunter2hunter2"]);
  });

  test("the database does not exist, or the user", async () => {
    const socket = encodeURIComponent(cluster.socketDirectory);
    for (const url of [`postgresql:///no_such_database?host=${socket}&user=postgres`, `postgresql:///postgres?host=${socket}&user=no_such_user`])
      for (const outcome of await outcomes({ GATEHOUSE_PG_CONNECTION_URL: url, GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey() }))
        assertSentence(outcome, 1, [/database|PostgreSQL|role|user/]);
  });

  test("the database is newer than this program", async () => {
    const environment = await external();
    assert.equal((await run(["migrate"], environment)).code, 0);
    const database = new URL(environment.GATEHOUSE_PG_CONNECTION_URL.replace("///", "//x/")).pathname.slice(1);
    await cluster.query(database, "INSERT INTO schema_migrations (version, name) VALUES (9999, 'from-the-future')");
    for (const outcome of await outcomes(environment)) assertSentence(outcome, 1, [/9999/, /upgrade/i]);
  });

  test("the account may not create tables", async () => {
    const role = `weak_${process.pid}`;
    await cluster.query("postgres", `CREATE ROLE ${role} LOGIN PASSWORD 'hunter2hunter2'`);
    const database = await cluster.createDatabase();
    const url = cluster.url(database).replace("user=postgres", `user=${role}&password=hunter2hunter2`);
    for (const outcome of await outcomes({ GATEHOUSE_PG_CONNECTION_URL: url, GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey() }))
      assertSentence(outcome, 1, [/right|permission|privilege|may not/i, /CREATE|GRANT|owner/i], ["hunter2hunter2"]);
    await cluster.query("postgres", `DROP ROLE ${role}`);
  });

  test("the port is taken", async (t) => {
    const taken = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    t.after(() => taken.close());
    const address = `127.0.0.1:${taken.address().port}`;
    const environment = await external();
    for (const variable of ["GATEHOUSE_HTTP_ADDRESS", "GATEHOUSE_ADMIN_ADDRESS"]) {
      const outcome = await run(["serve"], { GATEHOUSE_HTTP_ADDRESS: "127.0.0.1:0", GATEHOUSE_ADMIN_ADDRESS: "127.0.0.1:0", ...environment, [variable]: address });
      assertSentence(outcome, 1, [new RegExp(`${taken.address().port}`), /use|taken/]);
      assert.equal(outcome.stdout, "");
    }
  });

  test("the keys are not those that the database was written with", async () => {
    const databaseUrl = cluster.url(await cluster.createDatabase());
    const [first, second] = [newKey(), newKey()];
    await (await serveOn(databaseUrl, { key: first }).start()).end();
    const refused = await refusedStart({ databaseUrl, key: second, stateDirectory: join(directory, "unused") });
    assertSentence(refused, 2, [/key/i], [first, second]);
    const both = await serveOn(databaseUrl, { key: `${second},${first}` }).start();
    await both.end();
  });
});

// ---------------------------------------------------------------------------------------------------- while it serves

describe("serve", () => {
  test("prints one line on stdout and everything else as JSON on stderr", async () => {
    const serve = await serveOn(cluster.url(await cluster.createDatabase())).start();
    await serve.admin("GET", "/api/v2/users/me");
    await serve.end();
    assert.equal(serve.program.stdout, `gatehouse: listening on ${serve.accessUrl}\n`);
    assert.match(serve.accessUrl, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const lines = serve.logLines();
    assert.ok(lines.length > 0);
    for (const line of lines) assert.equal(typeof line, "object");
  });

  test("GATEHOUSE_LOG_FORMAT=text is text, GATEHOUSE_LOG_LEVEL=error is quiet", async () => {
    const databaseUrl = cluster.url(await cluster.createDatabase());
    const key = newKey();
    const text = await serveOn(databaseUrl, { key, settings: { LOG_FORMAT: "text" } }).start();
    await text.admin("GET", "/api/v2/users/me");
    await text.end();
    assert.ok(text.stderr.length > 0 && text.stderr.split("\n").every((line) => !line.startsWith("{")), text.stderr);
    const quiet = await serveOn(databaseUrl, { key, settings: { LOG_LEVEL: "error" } }).start();
    await quiet.admin("GET", "/api/v2/users/me");
    await quiet.end();
    assert.equal(quiet.stderr, "");
  });

  test("without an admin address there is no admin listener", async () => {
    const serve = await serveOn(cluster.url(await cluster.createDatabase()), { settings: { ADMIN_ADDRESS: "" } }).start();
    await assert.rejects(serve.request("GET", "/healthz", { admin: true }), { code: "ECONNREFUSED" });
    assert.equal((await serve.request("GET", "/healthz", { token: serve.adminToken, unchecked: true })).status, 404, "nor is it on the other");
    await serve.end();
  });

  test("every URL starts with GATEHOUSE_ACCESS_URL", async () => {
    const world = await openWorld({
      cluster: new Cluster(cluster.socketDirectory), settings: { HTTP_ADDRESS: `127.0.0.1:${await freePort()}`, ACCESS_URL: "https://gatehouse.example.com/sub" },
      providers: [{ ...plain, id: "one" }],
    });
    assert.equal(world.service.accessUrl, "https://gatehouse.example.com/sub");
    const user = await world.createUser();
    assert.match(await world.linkUrl(user, "one"), /^https:\/\/gatehouse\.example\.com\/sub\/external-auth\/one\?ticket=/);
    const refused = await world.createWorkspace(user, await world.createTemplate(["one"]));
    assert.equal(refused.body.external_auth[0].authenticate_url, "https://gatehouse.example.com/sub/external-auth/one");
  });

  test("SIGTERM, SIGINT and SIGHUP answer what is in flight, then end with 0", async () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
      const demo = await DemoProvider.start();
      const world = await openWorld({ cluster: new Cluster(cluster.socketDirectory), providers: [demo.configure("demo")] });
      world.demo = demo;
      // An owner for each, because creates of one owner share one question to the provider.
      const users = await Promise.all([1, 2, 3].map(() => world.createUser()));
      await Promise.all(users.map((user) => world.link(user, "demo")));
      const template = await world.createTemplate(["demo"]);
      await demo.closeGate("demo", "validate");
      const creating = users.map((user) => world.createWorkspace(user, template));
      await demo.awaitGate("demo", "validate", 3);
      world.service.program.child.kill(signal);
      await world.service.program.waitForLog(/"stopping"/);
      assert.equal(world.service.program.end, undefined);
      await demo.openGate("demo", "validate");
      assert.deepEqual((await Promise.all(creating)).map(({ status }) => status), [201, 201, 201]);
      assert.equal((await world.service.program.exited()).code, 0, world.service.program.story());
      await world.close();
    }
  });

  test("started with nohup it stays when the terminal closes", async () => {
    const script = join(directory, "ignores-hangups");
    writeFileSync(script, `#!/bin/sh\ntrap '' HUP\nexec ${process.env.GATEHOUSE_BIN} "$@"\n`, { mode: 0o755 });
    const serve = await serveOn(cluster.url(await cluster.createDatabase()), { binary: script }).start();
    serve.program.child.kill("SIGHUP");
    await sleep(200);
    assert.equal((await serve.admin("GET", "/api/v2/users/me")).status, 200);
    assert.doesNotMatch(serve.program.stderr, /"stopping"/);
    await serve.end();
  });
});

describe("the bootstrap admin", () => {
  test("is one user with one token, over restarts and replicas", async () => {
    const database = await cluster.createDatabase();
    const options = { adminToken: newSecret(), key: newKey() };
    const replicas = Array.from({ length: 3 }, () => serveOn(cluster.url(database), options));
    await Promise.all(replicas.map((replica) => replica.start()));
    await replicas[0].restart();
    for (const replica of replicas) assert.equal((await replica.admin("GET", "/api/v2/users/me")).body.username, "admin");
    const users = await cluster.query(database, "SELECT username FROM users WHERE username = 'admin'");
    const tokens = await cluster.query(database, "SELECT count(*)::int AS n FROM api_tokens");
    assert.deepEqual([users.length, tokens[0].n], [1, 1]);
    await Promise.all(replicas.map((replica) => replica.end()));
  });

  test("a new token is added, and the one before it stays until it is deleted", async () => {
    const databaseUrl = cluster.url(await cluster.createDatabase());
    const [key, first, second] = [newKey(), newSecret(), newSecret()];
    await (await serveOn(databaseUrl, { key, adminToken: first }).start()).end();
    const serve = await serveOn(databaseUrl, { key, adminToken: second }).start();
    for (const token of [first, second]) assert.equal((await serve.request("GET", "/api/v2/users/me", { token })).body?.username, "admin");
    await serve.end();
  });

  test("without one there is no admin", async () => {
    const database = await cluster.createDatabase();
    const serve = await serveOn(cluster.url(database), { settings: { BOOTSTRAP_ADMIN_TOKEN: undefined } }).start();
    assert.deepEqual(await cluster.query(database, "SELECT username FROM users WHERE NOT is_system"), []);
    await serve.end();
  });
});
