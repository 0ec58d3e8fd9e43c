// SPDX-License-Identifier: Apache-2.0
// Signing in: whom the service believes, whom it makes, what a browser gets and keeps, and that nobody is signed in by
// anything but an answer of the sign-in service to this very browser.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { Issuer, makeKey, signToken } from "../support/oidc_issuer.mjs";
import { assertError, assertLeavesNothing, World } from "../support/world.mjs";

const issuer = await Issuer.start();
const world = await World.open({ settings: issuer.settings });
const open = await world.replica({ settings: { OIDC_ALLOW_SIGNUPS: "true" } });
after(() => issuer.stop());
beforeEach(() => issuer.behave());

const LOGIN = "gatehouse_login";
const { service } = world;
const newBrowser = () => new Browser({ accept: "application/json" });
const page = (path, of = service) => `${of.accessUrl}${path}`;
const session = (browser, of = service) => browser.cookie(new URL(of.accessUrl).origin, LOGIN)?.value;
const NOT_COUNTED = /sign_in_states|decisions/;

let people = 0;
// A person at the issuer, and the user of that name here.
async function person({ withUser = true, ...more } = {}) {
  const username = `person-${++people}`;
  issuer.person = { sub: `sub-${username}`, preferred_username: username, email: `${username}@example.com`, email_verified: true, ...more };
  return { username, user: withUser ? await world.createUser({ username }) : null };
}

// Everything up to the callback, which is not visited.
async function begin({ browser = newBrowser(), of = service, query = "" } = {}) {
  const started = await browser.visit(page(`/login/start${query}`, of), of);
  assert.equal(started.status, 303, started.text);
  const back = await browser.visit(started.next);
  assert.equal(back.status, 302, back.text);
  return { browser, started, callback: back.next };
}

async function signIn(options = {}) {
  const begun = await begin(options);
  return { ...begun, last: await begun.browser.visit(begun.callback, options.of ?? service) };
}

async function whoIs(browser, of = service) {
  const answer = await browser.visit(page("/", of), null, { headers: { Accept: "text/html" } });
  return answer.status === 200 ? answer.text.match(/Signed in as <b>([^<]*)</)?.[1] : null;
}

const csrfOf = async (browser) => (await browser.visit(page("/"), null, { headers: { Accept: "text/html" } })).text.match(/name="csrf" value="([^"]*)"/)[1];
const post = (browser, path, fields = {}) => browser.visit(page(path), service, {
  method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(fields).toString(),
});

// Nobody is signed in, and nothing is written but that the visit is over.
async function refused(status, code, options) {
  const { browser, callback } = await begin(options);
  const before = await world.countRows(NOT_COUNTED);
  const last = await browser.visit(callback, options?.of ?? service);
  assertError(last, status, code);
  assert.deepEqual(await world.countRows(NOT_COUNTED), before);
  assert.equal(session(browser), undefined);
  return last;
}

// ----------------------------------------------------------------------------------------------------------- the way

test("signing in finds the user of that name", async () => {
  const { username } = await person();
  const { browser, started, last } = await signIn();
  const query = started.next.searchParams;
  assert.equal(query.get("response_type"), "code");
  assert.equal(query.get("client_id"), issuer.clientId);
  assert.equal(query.get("redirect_uri"), page("/login/callback"));
  assert.equal(query.get("scope"), "openid profile email");
  assert.equal(query.get("code_challenge_method"), "S256");
  for (const name of ["state", "nonce", "code_challenge"]) assert.match(query.get(name), /^[A-Za-z0-9_-]{43}$/);
  assert.equal(last.status, 303, last.text);
  assert.equal(last.next.href, page("/"));
  const { attributes } = browser.cookie(new URL(service.accessUrl).origin, LOGIN);
  assert.deepEqual(attributes, ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Lax"]);
  assert.equal(await whoIs(browser), username);
  const rows = await world.sql("SELECT encode(hash, 'hex') AS hash FROM browser_sessions");
  assert.ok(rows.every(({ hash }) => !hash.includes(session(browser))));
});

test("each visit has a state, a nonce and a challenge of its own", async () => {
  await person();
  const browser = newBrowser();
  const seen = new Set();
  for (let i = 0; i < 3; i++) {
    const { started } = await begin({ browser });
    for (const name of ["state", "nonce", "code_challenge"]) seen.add(started.next.searchParams.get(name));
  }
  assert.equal(seen.size, 9);
});

test("two tabs sign in at once", async () => {
  const { username } = await person();
  const browser = newBrowser();
  const first = await begin({ browser });
  const second = await begin({ browser });
  for (const { callback } of [first, second]) assert.equal((await browser.visit(callback, service)).status, 303);
  assert.equal(await whoIs(browser), username);
});

test("the sign-in page leads on, and away who is signed in", async () => {
  await person();
  const browser = new Browser();
  const shown = await browser.visit(page("/login?redirect=/device"), service);
  assert.equal(shown.status, 200);
  assert.match(shown.text, /href="\/login\/start\?redirect=%2Fdevice"/);
  assert.ok(shown.text.includes("127.0.0.1"));
  const at_once = await browser.visit(page("/login?redirect=/device&go=1"), service);
  assert.equal(at_once.next.href, page("/login/start?redirect=%2Fdevice"));
  const { last } = await signIn({ browser, query: "?redirect=/device%3Fuser_code%3DABCD" });
  assert.equal(last.next.href, page("/device?user_code=ABCD"));
  assert.equal((await browser.visit(page("/login?redirect=/device"), service)).next.href, page("/device"));
  assert.equal((await browser.visit(page("/login"), service)).next.href, page("/"));
});

test("who is not signed in is sent to the sign-in page, and back", async () => {
  await person();
  const browser = new Browser();
  const sent = await browser.visit(page("/external-auth/demo?x=1"), service);
  assert.equal(sent.status, 303);
  assert.equal(sent.next.href, page("/login?redirect=%2Fexternal-auth%2Fdemo%3Fx%3D1"));
  const { last } = await signIn({ browser, query: `?redirect=${encodeURIComponent("/external-auth/demo?x=1")}` });
  assert.equal(last.next.href, page("/external-auth/demo?x=1"));
});

test("a session of one replica is good at the other", async () => {
  const { username } = await person();
  const { browser, callback } = await begin();
  const cookies = browser.cookies(new URL(service.accessUrl).origin).map(({ name, value }) => `${name}=${value}`).join("; ");
  const other = new URL(callback);
  other.port = new URL(open.accessUrl).port;
  // A balancer in front: the browser sees one address, two processes answer. The redirect URL is the first one's.
  const direct = await newBrowser().visit(other, open, { headers: { Cookie: cookies } });
  assertError(direct, 502, "provider_failed");
  const { browser: second } = await signIn();
  const token = session(second);
  const answer = await newBrowser().visit(page("/", open), null, { headers: { Accept: "text/html", Cookie: `${LOGIN}=${token}` } });
  assert.match(answer.text, new RegExp(`Signed in as <b>${username}<`));
});

// ------------------------------------------------------------------------------------------------------------- who

test("who has no user is told so, unless users are made", async () => {
  const { username } = await person({ withUser: false });
  const body = (await refused(403, "forbidden")).body;
  assert.match(body.message, new RegExp(username));
  const { last, browser } = await signIn({ of: open });
  assert.equal(last.status, 303, last.text);
  assert.equal(await whoIs(browser, open), username);
  const made = await world.expect(200, "GET", `/api/v2/users/${username}`);
  assert.deepEqual([made.roles, made.status, made.email], [["member"], "active", `${username}@example.com`]);
  assert.equal((await signIn()).last.status, 303);
  const log = await world.sql("SELECT action FROM audit_log WHERE subject_user_id = $1 ORDER BY id", [made.id]);
  assert.deepEqual(log.map(({ action }) => action), ["user.create", "session.begin", "session.begin"]);
});

test("of many first sign-ins of one person one makes the user", async () => {
  const { username } = await person({ withUser: false });
  const begun = await Promise.all(Array.from({ length: 10 }, () => begin({ of: open })));
  const ends = await Promise.all(begun.map(({ browser, callback }) => browser.visit(callback, open)));
  assert.deepEqual(ends.map(({ status }) => status), Array(10).fill(303));
  assert.equal((await world.sql("SELECT id FROM users WHERE username = $1", [username])).length, 1);
});

test("another subject with the name is somebody else", async () => {
  const { username } = await person();
  assert.equal((await signIn()).last.status, 303);
  issuer.person = { ...issuer.person, sub: "sub-of-another" };
  for (const of of [service, open]) {
    const { body } = await refused(403, "forbidden", { of });
    assert.match(body.message, new RegExp(`name ${username} belongs to another`));
  }
  issuer.person = { ...issuer.person, sub: `sub-${username}` };
  assert.equal((await signIn()).last.status, 303);
});

test("of two subjects that claim one name at once one gets it", async () => {
  await person();
  const begun = [];
  for (let i = 0; i < 8; i++) {
    issuer.person = { ...issuer.person, sub: `racer-${i}` };
    begun.push(await begin());
  }
  const ends = await Promise.all(begun.map(({ browser, callback }) => browser.visit(callback, service)));
  assert.deepEqual(ends.map(({ status }) => status).sort(), [303, 403, 403, 403, 403, 403, 403, 403]);
});

test("who is renamed at the sign-in service stays who they are", async () => {
  const { username } = await person();
  assert.equal((await signIn()).last.status, 303);
  const other = await world.createUser();
  issuer.person = { ...issuer.person, preferred_username: other.username };
  const { browser, last } = await signIn();
  assert.equal(last.status, 303);
  assert.equal(await whoIs(browser), username);
});

test("an administrator lets somebody's new account be theirs", async () => {
  const { username, user } = await person();
  const { browser } = await signIn();
  issuer.person = { ...issuer.person, sub: "new-account" };
  await refused(403, "forbidden");
  assertError(await world.admin("PATCH", `/api/v2/users/${user.id}`, { oidc_subject: "new-account" }), 400, "validation_failed", "oidc_subject");
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { email: null });
  await refused(403, "forbidden");
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { oidc_subject: null });
  assert.equal(await whoIs(browser), null, "the sessions of the old one are over");
  assert.equal(await whoIs((await signIn()).browser), username);
});

test("nobody signs in as the user that the service made for its first token", async () => {
  issuer.person = { sub: "eve", preferred_username: "admin" };
  for (const of of [service, open]) await refused(403, "forbidden", { of });
});

test("names are made lawful, and those that cannot be are refused", async () => {
  const { username } = await person();
  issuer.person.preferred_username = username.toUpperCase();
  assert.equal((await signIn()).last.status, 303);
  await world.createUser({ username: "john-doe-x" });
  issuer.person = { sub: "john", preferred_username: "John.Doe_x" };
  assert.equal(await whoIs((await signIn()).browser), "john-doe-x");
  for (const preferred_username of ["", "me", "prebuilds", "zwölf", "a b", "x".repeat(33), "<script>", "a/b", "../../etc", 7, null]) {
    issuer.person = { sub: "odd", preferred_username };
    await refused(403, "forbidden", { of: open });
  }
});

test("a suspended user is not let in, and is not let stay", async () => {
  const { user } = await person();
  const { browser } = await signIn();
  const suspend = (status) => world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status });
  await suspend("suspended");
  assert.equal(await whoIs(browser), null);
  await refused(403, "owner_suspended");
  await suspend("active");
  assert.equal(await whoIs(browser), null, "the session of before is over for good");
  assert.equal((await signIn()).last.status, 303);
});

test("a suspended user of the name is not bound", async () => {
  const { user } = await person();
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  await refused(403, "owner_suspended");
  assert.deepEqual(await world.sql("SELECT oidc_subject FROM users WHERE id = $1", [user.id]), [{ oidc_subject: null }]);
});

test("the sessions of a deleted user are over", async () => {
  const { user } = await person();
  const { browser } = await signIn();
  await world.expect(204, "DELETE", `/api/v2/users/${user.id}`);
  assert.equal(await whoIs(browser), null);
});

test("what the ID token does not say is asked for", async () => {
  const { username } = await person();
  issuer.inIdToken = false;
  const { browser, last } = await signIn();
  assert.equal(last.status, 303, last.text);
  assert.equal(await whoIs(browser), username);
  issuer.userinfo = { ...issuer.person, sub: "somebody-else" };
  await refused(502, "provider_failed");
  issuer.userinfo = { sub: issuer.person.sub };
  await refused(403, "forbidden");
  issuer.broken["/userinfo"] = 500;
  await refused(502, "provider_failed");
});

// --------------------------------------------------------------------------------------------------- the ID token

const now = () => Math.floor(Date.now() / 1000);
const badClaims = {
  "another issuer": () => ({ iss: "https://elsewhere.example.com" }),
  "the issuer with a slash": () => ({ iss: `${issuer.url}/` }),
  "no issuer": () => ({ iss: undefined }),
  "another client": () => ({ aud: "somebody-else" }),
  "several clients without azp": () => ({ aud: [issuer.clientId, "somebody-else"] }),
  "another azp": () => ({ azp: "somebody-else" }),
  "no audience": () => ({ aud: undefined }),
  "an empty audience": () => ({ aud: [] }),
  "expired": () => ({ exp: now() - 1 }),
  "no exp": () => ({ exp: undefined }),
  "exp as text": () => ({ exp: String(now() + 300) }),
  "from the future": () => ({ iat: now() + 120 }),
  "no iat": () => ({ iat: undefined }),
  "not yet": () => ({ nbf: now() + 120 }),
  "another nonce": () => ({ nonce: "x".repeat(43) }),
  "no nonce": () => ({ nonce: undefined }),
  "no subject": () => ({ sub: undefined }),
  "an empty subject": () => ({ sub: "" }),
  "a long subject": () => ({ sub: "x".repeat(256) }),
  "a large token": () => ({ groups: Array.from({ length: 2000 }, (_, index) => `group-${index}`) }),
};
for (const [what, claims] of Object.entries(badClaims))
  test(`an ID token is refused: ${what}`, async () => {
    await person();
    issuer.claims = claims();
    const { body } = await refused(502, "provider_failed");
    assert.match(body.detail, /GATEHOUSE_OIDC_ISSUER/);
  });

test("an ID token may begin a minute early, and be for several clients", async () => {
  await person();
  issuer.claims = { nbf: now() + 30, iat: now() + 30, aud: ["somebody-else", issuer.clientId], azp: issuer.clientId };
  assert.equal((await signIn()).last.status, 303);
});

test("an ID token may say its times to parts of a second", async () => {
  await person();
  issuer.claims = { exp: now() + 300.5, iat: now() - 0.25, nbf: now() - 0.25 };
  assert.equal((await signIn()).last.status, 303);
});

const flip = (token) => {
  const parts = token.split(".");
  const bytes = Buffer.from(parts[2], "base64url");
  bytes[10] ^= 1;
  return [parts[0], parts[1], bytes.toString("base64url")].join(".");
};
const badTokens = {
  "alg none": () => { issuer.header = { alg: "none" }; },
  "alg NONE": () => { issuer.header = { alg: "NONE" }; },
  "a MAC with the public key": () => { issuer.header = { alg: "HS256" }; },
  "RS512": () => { issuer.header = { alg: "RS512" }; },
  "the other algorithm with this key": () => { issuer.header = { alg: "ES256" }; },
  "no alg": () => { issuer.header = { alg: undefined }; },
  "a key that is not published": () => { issuer.key = makeKey(); },
  "a stranger's key under a published id": () => { issuer.key = makeKey("RS256", { kid: issuer.keys[0].kid }); },
  "a key that the token brings": () => { issuer.key = makeKey(); issuer.header = { jwk: issuer.key.jwk, kid: undefined }; },
  "a tampered signature": () => { issuer.sign = (...given) => flip(signToken(...given)); },
  "other claims than were signed": () => {
    issuer.sign = (header, claims, key) => {
      const [head, , signature] = signToken(header, claims, key).split(".");
      return [head, Buffer.from(JSON.stringify({ ...claims, preferred_username: "admin" })).toString("base64url"), signature].join(".");
    };
  },
  "an empty signature": () => { issuer.sign = (...given) => signToken(...given).replace(/[^.]+$/, ""); },
  "two parts": () => { issuer.sign = (...given) => signToken(...given).split(".").slice(0, 2).join("."); },
  "four parts": () => { issuer.sign = (...given) => `${signToken(...given)}.x`; },
  "no JSON": () => { issuer.sign = () => "e.e.e"; },
  "a critical extension": () => { issuer.header = { crit: ["exp"], exp: 1 }; },
  "a key id that is no text": () => { issuer.header = { kid: 7 }; },
  "a key for encryption": () => { issuer.key = makeKey("RS256", { jwk: { use: "enc" } }); issuer.keys = [issuer.key]; },
  "a small key": () => { issuer.key = makeKey("RS256", { bits: 1024 }); issuer.keys = [issuer.key]; },
};
for (const [what, prepare] of Object.entries(badTokens))
  test(`an ID token is refused: ${what}`, async () => {
    await person();
    prepare();
    await refused(502, "provider_failed");
  });

test("ES256, several keys and none named", async () => {
  await person();
  issuer.key = makeKey("ES256");
  issuer.keys = [makeKey(), makeKey("ES256"), issuer.key];
  assert.equal((await signIn()).last.status, 303);
  issuer.header = { kid: undefined };
  assert.equal((await signIn()).last.status, 303);
});

test("keys turn over: a new one is looked for once", async () => {
  await person();
  assert.equal((await signIn()).last.status, 303);
  const before = issuer.asked("/jwks");
  assert.equal((await signIn()).last.status, 303);
  assert.equal(issuer.asked("/jwks"), before, "known keys are not fetched again");
  issuer.key = makeKey();
  issuer.keys = [issuer.keys[0], issuer.key];
  assert.equal((await signIn()).last.status, 303);
  assert.equal(issuer.asked("/jwks"), before + 1);
  issuer.key = makeKey();
  await refused(502, "provider_failed");
  assert.equal(issuer.asked("/jwks"), before + 2, "once, not more");
});

// ------------------------------------------------------------------------------------------------------- the answer

test("an answer is good once, for its own browser", async () => {
  await person();
  const { browser, callback } = await begin();
  const before = issuer.asked("/token");
  assertError(await newBrowser().visit(callback, service), 400, "state_invalid");
  const { browser: other } = await begin();
  assertError(await other.visit(callback, service), 400, "state_invalid");
  assert.equal(issuer.asked("/token"), before, "no token request is made for a stranger");
  assert.equal((await browser.visit(callback, service)).status, 303);
  const mine = session(browser);
  assertError(await browser.visit(callback, service), 400, "state_invalid");
  assert.equal(issuer.asked("/token"), before + 1);
  assert.equal(session(browser), mine);
  for (const query of ["", "?code=x", "?state=x&code=y"]) assertError(await browser.visit(page(`/login/callback${query}`), service), 400, "state_invalid");
});

test("of many visits with one answer one signs in", async () => {
  await person();
  const { browser, callback } = await begin();
  const ends = await Promise.all(Array.from({ length: 10 }, () => browser.visit(callback, service)));
  assert.equal(ends.filter(({ status }) => status === 303).length, 1);
});

test("a code of another visit does not fit", async () => {
  await person();
  const mine = await begin();
  const victim = await begin();
  const mixed = new URL(mine.callback);
  mixed.searchParams.set("code", victim.callback.searchParams.get("code"));
  assertError(await mine.browser.visit(mixed, service), 502, "provider_failed");
  assert.equal(session(mine.browser), undefined);
});

test("an answer of another issuer, or of nobody, is none", async () => {
  await person();
  const before = issuer.asked("/token");
  for (const iss of ["https://elsewhere.example.com", `${issuer.url}/`, undefined]) {
    issuer.answer = { iss };
    await refused(400, "state_invalid");
  }
  assert.equal(issuer.asked("/token"), before);
});

test("a refusal is told in one word", async () => {
  await person();
  issuer.answer = { code: undefined, error: "access_denied" };
  assert.match((await refused(400, "provider_refused")).body.detail, /access_denied/);
  issuer.answer = { code: undefined, error: "<b>call 555</b>" };
  assert.ok(!(await refused(400, "provider_refused")).text.includes("call"));
  issuer.answer = { code: undefined };
  await refused(400, "provider_refused");
});

test("a service that fails is told with what to do", async () => {
  await person();
  for (const path of ["/token", "/jwks"]) {
    issuer.behave();
    issuer.broken[path] = 503;
    issuer.key = makeKey();
    issuer.keys = [issuer.key];
    const { body } = await refused(502, "provider_failed");
    assert.match(body.detail, /once more/);
    assert.match(body.message, /^The (keys of the )?sign-in service /);
  }
});

test("a service that is down is a page that says what to do", async () => {
  const gone = await Issuer.start();
  const down = await world.replica({ settings: gone.settings });
  await gone.stop();
  const browser = new Browser();
  assert.equal((await browser.visit(page("/login", down), down)).status, 200);
  const answer = await browser.visit(page("/login/start", down), down);
  assert.equal(answer.status, 502);
  assert.match(answer.headers["content-type"], /text\/html/);
  assert.match(answer.text, /Sign in once more in a moment/);
  assertError(await newBrowser().visit(page("/login/start", down), down), 502, "provider_failed");
});

// ------------------------------------------------------------------------------------------------------- the session

test("what a browser brings is never the session that it gets", async () => {
  const victim = await person();
  const planted = "A".repeat(43);
  const { browser, callback } = await begin();
  const origin = new URL(service.accessUrl).origin;
  const visits = browser.cookie(origin, "gatehouse_signing_in").value;
  const last = await newBrowser().visit(callback, service, { headers: { Cookie: `${LOGIN}=${planted}; gatehouse_signing_in=${visits}` } });
  assert.equal(last.status, 303);
  const set = last.headers["set-cookie"].find((line) => line.startsWith(`${LOGIN}=`));
  assert.ok(!set.includes(planted));
  const stranger = new Browser();
  const asPlanted = await stranger.visit(page("/"), null, { headers: { Cookie: `${LOGIN}=${planted}` } });
  assert.equal(asPlanted.status, 303, `nobody is ${victim.username} by a planted cookie`);
});

test("signing in again ends the session of before", async () => {
  await person();
  const { browser } = await signIn();
  const before = session(browser);
  assert.equal((await signIn({ browser })).last.status, 303);
  assert.notEqual(session(browser), before);
  const old = await newBrowser().visit(page("/"), null, { headers: { Accept: "text/html", Cookie: `${LOGIN}=${before}` } });
  assert.equal(old.status, 303);
});

test("signing out ends the session, with a form of its own pages only", async () => {
  await person();
  const { browser } = await signIn();
  const { browser: other } = await signIn();
  const token = session(browser);
  for (const fields of [{}, { csrf: "" }, { csrf: "x" }, { csrf: await csrfOf(other) }])
    assertError(await post(browser, "/logout", fields), 403, "forbidden");
  const twice = await browser.visit(page("/logout"), service, {
    method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: `csrf=${await csrfOf(browser)}&csrf=${await csrfOf(browser)}`,
  });
  assertError(twice, 403, "forbidden");
  assert.ok(await whoIs(browser), "a forged form ends nothing");
  const out = await post(browser, "/logout", { csrf: await csrfOf(browser) });
  assert.equal(out.status, 303);
  assert.equal(out.next.href, page("/login?signed_out=1"));
  assert.equal(session(browser), undefined);
  const old = await newBrowser().visit(page("/"), null, { headers: { Accept: "text/html", Cookie: `${LOGIN}=${token}` } });
  assert.equal(old.status, 303);
  assert.ok(await whoIs(other), "another browser's session goes on");
});

test("a form of another site does not take the cookie away", async () => {
  const out = await post(newBrowser(), "/logout");
  assert.equal(out.status, 303);
  assert.equal(out.headers["set-cookie"], undefined, "it came without the cookie, as SameSite has it");
  assert.equal((await newBrowser().visit(page("/logout"))).status, 405);
});

test("a session is over when its time is", async () => {
  const { user } = await person();
  const { browser } = await signIn();
  await world.sql("UPDATE browser_sessions SET expires_at = now() WHERE user_id = $1", [user.id]);
  assert.equal(await whoIs(browser), null);
});

test("a ticket's session signs nobody in", async () => {
  const user = await world.createUser();
  const browser = newBrowser();
  await browser.visit(await world.linkUrl(user, "demo"), service);
  const ticketed = browser.cookie(new URL(service.accessUrl).origin, "gatehouse_session").value;
  const answer = await newBrowser().visit(page("/"), null, { headers: { Accept: "text/html", Cookie: `${LOGIN}=${ticketed}` } });
  assert.equal(answer.status, 303);
});

// --------------------------------------------------------------------------------------------------------- the rest

const astray = ["https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "/\t/evil.example.com", "javascript:alert(1)", "", "device", "/%0d%0aX: y".replace("%0d%0a", "\r\n"), "/.//evil.example.com"];
test("nobody is sent to another site", async () => {
  for (const path of ["/login", "/login/start"])
    for (const redirect of astray)
      assertError(await newBrowser().visit(page(`${path}?redirect=${encodeURIComponent(redirect)}`), service), 400, "validation_failed", "redirect");
  assertError(await newBrowser().visit(page("/login/start?redirect=/a&redirect=/b"), service), 400, "validation_failed", "redirect");
});

test("looking does nothing", async () => {
  await person();
  const { browser, callback } = await begin();
  await assertLeavesNothing(world, () => newBrowser().visit(page("/login/start"), null, { method: "HEAD" }));
  const looked = await assertLeavesNothing(world, () => browser.visit(callback, null, { method: "HEAD" }));
  assert.equal(looked.status, 204);
  assert.equal((await browser.visit(callback, service)).status, 303, "the answer is not spent");
});

test("where sign-in is not set up, all of it says so", async () => {
  const without = await world.replica({ settings: { OIDC_ISSUER: undefined, OIDC_CLIENT_ID: undefined, OIDC_CLIENT_SECRET: undefined } });
  for (const path of ["/login", "/login/start", "/login/callback?code=x&state=y"])
    assertError(await newBrowser().visit(page(path, without), without), 404, "not_found");
  const shown = await new Browser().visit(page("/login", without), without);
  assert.equal(shown.status, 404);
  assert.match(shown.text, /not set up/);
  assertError(await newBrowser().visit(page("/external-auth/demo", without), without), 401, "session_required");
});

test("nothing secret is in the log", async () => {
  await person();
  const { browser, callback } = await signIn();
  const found = [...issuer.secrets, session(browser), callback.searchParams.get("state"), issuer.clientSecret, ...browser.cookies(new URL(service.accessUrl).origin).map(({ value }) => value)];
  const output = world.services.map((each) => each.output()).join("\n");
  for (const secret of found) assert.ok(!output.includes(secret), "a secret is in the log");
  assert.ok(output.includes("ID token refused"), "why one was refused is there");
});
