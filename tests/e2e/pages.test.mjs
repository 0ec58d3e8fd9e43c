// SPDX-License-Identifier: Apache-2.0
// The pages in a real browser: from a refusal to a workspace, signing in, my providers, a provider's device code, and a
// command line that asks to get in. No page needs a script, every one passes an accessibility check in light and dark.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { exchange } from "../support/http.mjs";
import { OAuthServer } from "../support/oauth_server.mjs";
import { Eyes, tabTo } from "../support/pages.mjs";
import { freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { World } from "../support/world.mjs";

const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const secret = newSecret();
const signIn = await OAuthServer.start({ clients: [{ id: "gatehouse", secret, redirect: `${base}/login/callback` }] });
const world = await World.open({
  providers: (demo) => [
    demo.configureGithub("github", { device_flow: true, scopes: "repo workflow", app_install_url: "https://github.example/apps/x/installations/new" }),
    demo.configure("gitlab", { display_name: "GitLab", scopes: "api" }),
    demo.configure("away", { display_name: "Bitbucket" }),
    demo.configure("spare", { display_name: "Gitea" }),
  ],
  settings: {
    HTTP_ADDRESS: `127.0.0.1:${port}`, OIDC_ISSUER: signIn.issuer, OIDC_CLIENT_ID: "gatehouse", OIDC_CLIENT_SECRET: secret,
    OIDC_USERNAME_CLAIM: "sub", OIDC_SCOPES: "openid",
  },
});
const { demo } = world;
const eyes = await Eyes.open();
after(() => eyes.close());
after(() => signIn.stop());

// Somebody who has signed in, with a user of their own and an empty browser.
async function signedIn(options) {
  const user = await world.createUser();
  signIn.account = user.username;
  const page = await eyes.person(options);
  await page.goto(`${base}/`);
  await page.getByRole("link", { name: "Sign in" }).click();
  assert.equal(page.url(), `${base}/`);
  return { user, page };
}

const heading = (page) => page.getByRole("heading", { level: 1 }).innerText();

test("from a refusal to a workspace in one step", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["gitlab"]);
  assert.equal((await world.createWorkspace(user, template)).status, 403);
  await demo.set("gitlab", { login: "alice-at-work" });
  const page = await eyes.person();
  await page.goto(await world.linkUrl(user, "gitlab"));
  assert.equal(await heading(page), "GitLab is connected");
  await eyes.examine(page, "connected-by-ticket");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
});

test("a link that was used says what to do", async () => {
  const user = await world.createUser();
  const url = await world.linkUrl(user, "gitlab");
  await (await eyes.person()).goto(url);
  const page = await eyes.person();
  const answer = await page.goto(url);
  assert.equal(answer.status(), 401);
  assert.match(await page.content(), /What to do/);
  await eyes.examine(page, "error-ticket-used");
});

test("sign in, connect, see who was connected, disconnect, sign out", async () => {
  const { user, page } = await signedIn();
  await world.link(user, "away");
  await demo.fault("away", "validate", { status: 503 });
  await world.importLink(user, "spare");
  await page.goto(`${base}/`);
  const policy = (await page.reload()).headers()["content-security-policy"];
  for (const rule of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(policy.includes(rule), policy);
  const cards = page.getByRole("listitem");
  assert.match(await cards.filter({ hasText: "GitHub" }).innerText(), /Not connected/);
  assert.match(await cards.filter({ hasText: "Bitbucket" }).innerText(), /Provider away[^]*You need not connect again/);
  assert.match(await cards.filter({ hasText: "Gitea" }).innerText(), /Connect again[^]*no longer valid/);
  await eyes.examine(page, "providers");

  await page.getByRole("link", { name: "Connect GitHub" }).click();
  assert.equal(await heading(page), "Connect GitHub");
  const asked = await page.getByRole("main").innerText();
  for (const word of [user.username, "127.0.0.1", "repo", "workflow"]) assert.ok(asked.includes(word), asked);
  await eyes.examine(page, "connect");

  await demo.set("github", { login: "octo-alice" });
  await page.getByRole("link", { name: "Connect GitHub" }).click();
  assert.equal(await heading(page), "GitHub is connected");
  assert.match(await page.getByRole("main").innerText(), /octo-alice/);
  await eyes.examine(page, "connected");

  await page.getByRole("main").getByRole("link", { name: "My providers" }).click();
  const github = page.getByRole("listitem").filter({ hasText: "GitHub" });
  assert.match(await github.innerText(), /Connected[^]*octo-alice/);
  await github.locator("summary").click();
  await eyes.examine(page, "providers-disconnecting");
  await page.getByRole("button", { name: "Disconnect GitHub" }).click();
  assert.match(await page.getByRole("status").innerText(), /GitHub is disconnected, and the provider has ended/);
  assert.match(await page.getByRole("listitem").filter({ hasText: "GitHub" }).innerText(), /Not connected/);
  await eyes.examine(page, "providers-disconnected");
  await demo.fault("away", "validate", null);

  await page.getByRole("button", { name: "Sign out" }).click();
  assert.equal(await heading(page), "You are signed out");
  await eyes.examine(page, "signed-out");
  await page.goto(`${base}/`);
  assert.equal(await heading(page), "Sign in");
  await eyes.examine(page, "login");
});

test("what the provider refuses is told with what to do", async () => {
  const { page } = await signedIn();
  await demo.set("gitlab", { authorize_fault: "access_denied" });
  await page.goto(`${base}/external-auth/gitlab`);
  await page.getByRole("link", { name: "Connect GitLab" }).click();
  assert.equal(await heading(page), "The account was not connected");
  await eyes.examine(page, "error-refused");
  await demo.set("gitlab", { authorize_fault: null });
});

test("an address that is none has a page, and so has a provider that is none", async () => {
  const { page } = await signedIn();
  assert.equal((await page.goto(`${base}/nowhere`)).status(), 404);
  await eyes.examine(page, "error-nowhere");
  assert.equal((await page.goto(`${base}/external-auth/nothing`)).status(), 404);
  await eyes.examine(page, "error-provider");
});

test("connect with a code: not yet, then done", async () => {
  const { page } = await signedIn();
  await demo.set("github", { login: "octo-bob", device_interval: 1 });
  await page.goto(`${base}/external-auth/github`);
  await page.getByRole("button", { name: "Connect with a code" }).click();
  await eyes.examine(page, "code");
  const user_code = (await page.locator(".code").innerText()).trim();
  await page.getByRole("button", { name: "check now" }).click();
  assert.match(await page.getByRole("status").innerText(), /Nobody has entered the code|too often/);
  await eyes.examine(page, "code-waiting");
  const verified = await exchange("POST", `${demo.base}/github/device`, {
    headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ user_code, decision: "approve" }).toString(),
  });
  assert.ok(verified.status < 400, verified.text);
  for (let tries = 0; tries < 10 && (await heading(page)) !== "GitHub is connected"; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await page.getByRole("button", { name: "check now" }).click();
  }
  assert.equal(await heading(page), "GitHub is connected");
  assert.match(await page.getByRole("main").innerText(), /octo-bob/);
  const installed = page.getByRole("main").getByRole("list").getByRole("link");
  assert.match(await installed.getAttribute("href"), /installations\/1$/);
  assert.equal(await page.getByRole("link", { name: "Install it elsewhere" }).getAttribute("href"), "https://github.example/apps/x/installations/new");
  await eyes.examine(page, "connected-by-code");
});

// --- a command line ---------------------------------------------------------------------------------------------------

const form = async (path, fields) => {
  const answer = await exchange("POST", `${base}${path}`, {
    headers: { "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "gatehouse/1.0 (test)" },
    body: new URLSearchParams(fields).toString(),
  });
  return { status: answer.status, body: JSON.parse(answer.text) };
};
const askToGetIn = async () => (await form("/oauth2/device_authorization", { client_id: "gatehouse-cli" })).body;
const poll = ({ device_code }) => form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: "gatehouse-cli", device_code });

test("a command line is let in by its code, and by nothing less", async () => {
  const { page, user } = await signedIn();
  const asked = await askToGetIn();
  await page.goto(asked.verification_uri);
  await eyes.examine(page, "device");
  await page.getByLabel("Code").fill("2222-2222");
  await page.getByRole("button", { name: "Go on" }).click();
  assert.match(await page.getByRole("alert").innerText(), /not waiting for an answer/);
  await eyes.examine(page, "device-wrong");
  await page.getByLabel("Code").fill(asked.user_code.toLowerCase().replace("-", " "));
  await page.getByRole("button", { name: "Go on" }).click();
  assert.equal(await heading(page), "Is this your command line?");
  const shown = await page.getByRole("main").innerText();
  for (const word of [asked.user_code, "gatehouse command line", "127.0.0.1", "UTC", user.username]) assert.ok(shown.includes(word), shown);
  await eyes.examine(page, "device-compare");
  assert.equal((await poll(asked)).body.error, "authorization_pending", "looking at it approves nothing");
  await page.getByRole("button", { name: "Approve" }).click();
  assert.equal(await heading(page), "Your command line is in");
  await eyes.examine(page, "device-approved");
  await new Promise((resolve) => setTimeout(resolve, (asked.interval ?? 5) * 1000 + 100));
  const granted = await poll(asked);
  assert.equal(granted.status, 200, JSON.stringify(granted.body));
  assert.equal((await world.api("GET", "/api/v2/users/me", { token: granted.body.access_token })).body.username, user.username);
});

test("a command line that is denied gets nothing; the address with the code approves nothing", async () => {
  const { page } = await signedIn();
  const asked = await askToGetIn();
  await page.goto(asked.verification_uri_complete);
  assert.equal(await heading(page), "Is this your command line?");
  await page.getByRole("button", { name: "Deny" }).click();
  assert.equal(await heading(page), "Your command line stays out");
  await eyes.examine(page, "device-denied");
  assert.equal((await poll(asked)).body.error, "access_denied");
});

test("somebody who has not signed in does so first, and comes back to the code", async () => {
  const user = await world.createUser();
  signIn.account = user.username;
  const asked = await askToGetIn();
  const page = await eyes.person();
  await page.goto(asked.verification_uri_complete);
  await page.getByRole("link", { name: "Sign in" }).click();
  assert.equal(await heading(page), "Is this your command line?");
});

// --- the keyboard -----------------------------------------------------------------------------------------------------

test("the keyboard alone connects, disconnects and lets a command line in, and one always sees where it is", async () => {
  const { page } = await signedIn();
  await tabTo(page, "Connect GitLab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/external-auth\/gitlab/);
  await tabTo(page, "Connect GitLab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/callback/);
  assert.equal(await heading(page), "GitLab is connected");
  await tabTo(page, "My providers");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}/`);
  await tabTo(page, "Disconnect GitLab");
  await page.keyboard.press("Enter");
  await tabTo(page, "Disconnect GitLab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/ended=gitlab|disconnected=gitlab/);
  const asked = await askToGetIn();
  await tabTo(page, "Command line");
  await page.keyboard.press("Enter");
  await page.waitForURL(/device/);
  await page.locator("#code:focus").waitFor();
  await page.keyboard.type(asked.user_code);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Is this your command line?" }).waitFor();
  await tabTo(page, "Approve");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Your command line is in" }).waitFor();
});

// --- forms of others --------------------------------------------------------------------------------------------------

test("a form of another site disconnects nothing and approves nothing", async () => {
  const { page, user } = await signedIn();
  await world.link(user, "gitlab");
  const asked = await askToGetIn();
  const cookies = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const post = (path, fields) => exchange("POST", `${base}${path}`, {
    headers: { Cookie: cookies, Accept: "text/html", "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(fields).toString(),
  });
  for (const csrf of [{}, { csrf: "" }, { csrf: "x".repeat(43) }]) {
    assert.equal((await post("/external-auth/gitlab/disconnect", csrf)).status, 403);
    assert.equal((await post("/device", { ...csrf, user_code: asked.user_code, decision: "approve" })).status, 403);
    assert.equal((await post("/external-auth/github/device", csrf)).status, 403);
  }
  assert.equal((await poll(asked)).body.error, "authorization_pending");
  await page.goto(`${base}/`);
  assert.match(await page.getByRole("listitem").filter({ hasText: "GitLab" }).innerText(), /Connected/);
});

test("every page was examined", () => {
  assert.ok(eyes.examined.size >= 19, [...eyes.examined].join(" "));
});
