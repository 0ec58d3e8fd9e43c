// SPDX-License-Identifier: Apache-2.0
// Does every switch of the demonstration provider really act? Each test has a provider of its own, so all share one
// process. PROVIDER_BIN names the binary.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as driver from './provider_driver.mjs';
import { ID, SECRET, CALLBACK, basic, rawGet } from './provider_driver.mjs';

const BIN = process.env.PROVIDER_BIN;
const VERIFIER = 'v'.repeat(43);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
let running;
let names = 0;

const control = (...call) => driver.control(running.url, ...call);
// A provider that nobody used before.
const provider = () => driver.provider(running.url, `p${++names}`);

before(async () => { running = await driver.start(BIN, ['--threads', '128']); });
after(async () => {
  running.child.kill('SIGTERM');
  assert.equal(await running.ended, 0);
});

test('a code is exchanged once, with its redirect URI and verifier, for tokens that work', async () => {
  const p = provider();
  const { status, back } = await p.authorize({ code_challenge: CHALLENGE, code_challenge_method: 'S256', login: 'bob' });
  assert.equal(status, 302);
  assert.equal(back.get('state'), 's t');
  assert.equal(back.get('iss'), null);
  const code = back.get('code');
  assert.match(code, /^demo_code_[\w-]{32,}$/);
  assert.equal((await p.exchange(code)).json.error, 'invalid_grant', 'no verifier');
  assert.equal((await p.exchange(code, { code_verifier: 'x'.repeat(43) })).status, 400);
  assert.equal((await p.exchange(code, { code_verifier: VERIFIER, redirect_uri: `${CALLBACK}/` })).status, 400);
  const { status: granted, json } = await p.exchange(code, { code_verifier: VERIFIER });
  assert.equal(granted, 200);
  assert.match(json.access_token, /^demo_at_[\w-]{32,}$/);
  assert.match(json.refresh_token, /^demo_rt_[\w-]{32,}$/);
  assert.deepEqual([json.token_type, json.expires_in, json.scope], ['bearer', 3600, 'repo']);
  const user = await (await p.get('/user', json.access_token)).json();
  assert.deepEqual([user.login, user.name, typeof user.id], ['bob', 'Bob', 'number']);
  assert.ok(user.avatar_url && user.html_url);
  assert.equal((await (await p.get('/userinfo', json.access_token)).json()).sub, 'bob');
  assert.equal((await (await p.get('/validate', json.access_token)).json()).login, 'bob');
  assert.equal((await p.exchange(code, { code_verifier: VERIFIER })).status, 400, 'a second time');
  assert.equal((await p.get('/user', json.access_token)).status, 401, 'and its tokens are dead');
  assert.equal((await p.show()).counters.codes_reused, 1);
});

test('authorize refuses what it must, here or at the redirect URI', async () => {
  const p = provider();
  for (const bad of [{ client_id: 'other' }, { redirect_uri: 'javascript:1' }, { redirect_uri: null }])
    assert.equal((await p.authorize(bad)).status, 400, JSON.stringify(bad));
  assert.equal((await p.authorize({ response_type: 'token' })).back.get('error'), 'unsupported_response_type');
  assert.equal((await p.authorize({ code_challenge: CHALLENGE, code_challenge_method: 'plain' })).back.get('error'), 'invalid_request');
  assert.ok((await p.authorize({ response_type: 'Assertion' })).back.get('code'));
  await p.set({ redirect_uri: `${CALLBACK}2`, pkce: 'required' });
  assert.equal((await p.authorize()).status, 400);
  assert.equal((await p.authorize({ redirect_uri: `${CALLBACK}2` })).back.get('error'), 'invalid_request');
  await p.set({ redirect_uri: null, pkce: 'ignored', client_id: 'other' });
  const code = await p.code({ client_id: 'other', code_challenge: CHALLENGE, code_challenge_method: 'S256' });
  assert.equal((await p.exchange(code, { client_id: 'other' })).status, 200, 'nobody looks at PKCE');
});

test('authorize_fault, authorize_iss, login and scope', async () => {
  const p = provider();
  const back = async (authorize_fault) => { await p.set({ authorize_fault }); return (await p.authorize()).back; };
  assert.equal((await back('access_denied')).get('error'), 'access_denied');
  assert.notEqual((await back('wrong_state')).get('state'), 's t');
  assert.equal((await back('no_state')).get('state'), null);
  assert.equal((await back('no_code')).get('code'), null);
  assert.equal((await back('wrong_iss')).get('iss'), `${p.at}-impostor`);
  await p.set({ authorize_fault: null, authorize_iss: true, login: 'carol', scope: 'little' });
  const honest = (await p.authorize()).back;
  assert.equal(honest.get('iss'), p.at);
  const { json } = await p.exchange(honest.get('code'));
  assert.equal(json.scope, 'little');
  assert.equal((await (await p.get('/user', json.access_token)).json()).login, 'carol');
});

test('consent shows an escaped page and takes approve and deny', async () => {
  const p = provider();
  await p.set({ consent: true });
  const page = await p.authorize({ scope: '<script>' });
  assert.equal(page.status, 200);
  assert.ok(page.text.includes('name="decision"') && !page.text.includes('<script>'));
  const query = new URLSearchParams({ response_type: 'code', client_id: ID, redirect_uri: CALLBACK, state: 'x' });
  const decide = (fields) => fetch(`${p.at}/authorize?${query}`, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) });
  assert.match((await decide({ decision: 'deny' })).headers.get('location'), /error=access_denied/);
  const location = new URL((await decide({ decision: 'approve', login: 'dora' })).headers.get('location'));
  const { json } = await p.exchange(location.searchParams.get('code'));
  assert.equal((await (await p.get('/user', json.access_token)).json()).login, 'dora');
});

test('client_auth takes the one way it names, and both secrets', async () => {
  const p = provider();
  const none = { client_id: '', client_secret: '' };
  const ways = {
    basic: [none, basic(ID, SECRET)],
    post: [{}, {}],
    bearer: [{ client_secret: '' }, { authorization: `Bearer ${SECRET}` }],
    assertion: [{ ...none, client_assertion: SECRET }, {}],
    none: [{ client_secret: '' }, {}],
  };
  for (const client_auth of Object.keys(ways)) {
    await p.set({ client_auth });
    for (const [way, [fields, headers]] of Object.entries(ways)) {
      const { status, headers: got, json } = await p.exchange(await p.code(), fields, headers);
      const good = way === client_auth || (client_auth === 'any' && way !== 'none');
      assert.equal(status, good ? 200 : 401, `${way} where ${client_auth} is wanted`);
      if (!good) assert.deepEqual([json.error, got.has('www-authenticate')], ['invalid_client', true]);
    }
    assert.equal((await p.log()).at(-1).client_auth, 'none');
  }
  await p.set({ client_auth: 'any', client_secret: 'new', client_secret_2: 'old' });
  for (const [secret, status] of [['new', 200], ['old', 200], [SECRET, 401]])
    assert.equal((await p.exchange(await p.code(), {}, basic(ID, secret))).status, status, secret);
  assert.ok((await p.show()).counters.clients_refused > 0);
});

test('refresh rotates, and re-use kills the family; both can be switched off', async () => {
  const p = provider();
  const first = await p.mint({ login: 'bob' });
  const second = (await p.refresh(first.refresh_token)).json;
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await p.get('/user', second.access_token)).status, 200);
  assert.equal((await p.refresh(first.refresh_token)).json.error, 'invalid_grant');
  assert.equal((await p.get('/user', second.access_token)).status, 401);
  assert.equal((await p.refresh(second.refresh_token)).status, 400);
  const { counters } = await p.show();
  assert.deepEqual([counters.refreshes_granted, counters.refreshes_reused, counters.families_revoked], [1, 1, 1]);

  await p.set({ reuse_revokes: false });
  const third = await p.mint();
  const fourth = (await p.refresh(third.refresh_token)).json;
  assert.equal((await p.refresh(third.refresh_token)).status, 400);
  assert.equal((await p.get('/user', fourth.access_token)).status, 200);

  await p.set({ rotate: false });
  const fifth = await p.mint();
  assert.equal((await p.refresh(fifth.refresh_token)).json.refresh_token, undefined);
  assert.equal((await p.refresh(fifth.refresh_token)).status, 200);
  await p.set({ refresh_token: false });
  assert.equal((await p.exchange(await p.code())).json.refresh_token, undefined);
});

test('azure-devops: jwt-bearer assertions for the code and for the refresh', async () => {
  const p = provider();
  const azure = (grant_type, assertion) => p.form('/token', { grant_type, assertion, client_assertion: SECRET, redirect_uri: CALLBACK });
  const { json } = await azure('urn:ietf:params:oauth:grant-type:jwt-bearer', await p.code({ response_type: 'Assertion' }));
  assert.equal((await p.log()).at(-1).client_auth, 'assertion');
  assert.ok((await azure('refresh_token', json.refresh_token)).json.access_token);
});

test('token answers in every shape', async () => {
  const p = provider();
  const answer = async (switches, headers) => { await p.set(switches); return p.exchange(await p.code(), {}, headers); };
  assert.strictEqual((await answer({ expires_in: 60 })).json.expires_in, 60);
  assert.strictEqual((await answer({ expires_in_form: 'string' })).json.expires_in, '60');
  assert.strictEqual((await answer({ expires_in_form: 'absent' })).json.expires_in, undefined);
  const forever = (await answer({ expires_in_form: 'number', expires_in: 0 })).json;
  assert.strictEqual(forever.expires_in, 0);
  assert.equal((await p.get('/user', forever.access_token)).status, 200);
  assert.deepEqual((await answer({ token_extra: { tenant: { id: 7 } } })).json.tenant, { id: 7 });
  const slack = (await answer({ token_answer: 'slack' })).json;
  assert.equal((await p.get('/user', slack.authed_user.access_token)).status, 200);
  const form = await answer({ token_answer: 'form' });
  assert.match(form.headers.get('content-type'), /x-www-form-urlencoded/);
  assert.equal((await p.get('/user', new URLSearchParams(form.text).get('access_token'))).status, 200);
  assert.equal((await answer({ token_answer: 'negotiate' })).json, null);
  assert.ok((await answer({}, { accept: 'application/json' })).json.access_token);
  assert.equal((await answer({ token_answer: 'no_token' })).json.access_token, undefined);
  assert.match((await answer({ token_answer: 'html' })).headers.get('content-type'), /html/);
  assert.equal((await answer({ token_answer: 'empty' })).text, '');
});

test('error_style github answers 200 with its own codes', async () => {
  const p = provider();
  await p.set({ error_style: 'github' });
  const { status, json } = await p.refresh('demo_rt_unknown');
  assert.deepEqual([status, json.error], [200, 'bad_refresh_token']);
  assert.equal((await p.refresh('x', { client_secret: 'wrong' })).json.error, 'incorrect_client_credentials');
});

test('lives end: expires_in, code_expires_in, control revoke, RFC 7009, GitHub grant', async () => {
  const p = provider();
  assert.equal((await p.get('/user', (await p.mint({ expires_in: -1 })).access_token)).status, 401);
  assert.equal((await p.get('/user')).status, 401);
  await p.set({ code_expires_in: 0 });
  assert.equal((await p.exchange(await p.code())).json.error_description, 'the grant has expired');

  const a = await p.mint({ login: 'ann' });
  const revoke = (body) => control(`/${p.name}/revoke`, 'POST', body);
  await revoke({ access_token: a.access_token });
  assert.equal((await p.get('/user', a.access_token)).status, 401);
  assert.equal((await p.refresh(a.refresh_token)).status, 200, 'its refresh token lives on');
  const b = await p.mint({ login: 'ben' });
  assert.equal((await revoke({ login: 'ben' })).json.revoked, 1);
  assert.equal((await p.refresh(b.refresh_token)).status, 400);
  const c = await p.mint({ login: 'cid' });
  await revoke({ all: true });
  assert.equal((await p.get('/user', c.access_token)).status, 401);
  assert.equal((await revoke({})).status, 400);

  const d = await p.mint();
  const rfc = { token: d.refresh_token, token_type_hint: 'refresh_token', client_id: ID, client_secret: SECRET };
  assert.equal((await p.form('/revoke', { ...rfc, client_secret: 'no' })).status, 401);
  assert.equal((await p.form('/revoke', rfc)).status, 200);
  assert.equal((await p.get('/user', d.access_token)).status, 401);
  const e = await p.mint();
  const grant = (id, secret) => fetch(`${p.at}/applications/${id}/grant`, {
    method: 'DELETE', headers: { ...basic(ID, secret), 'content-type': 'application/json' },
    body: JSON.stringify({ access_token: e.access_token }),
  });
  assert.equal((await grant(ID, 'no')).status, 401);
  assert.equal((await grant('other', SECRET)).status, 404);
  assert.equal((await grant(ID, SECRET)).status, 204);
  assert.equal((await p.get('/user', e.access_token)).status, 401);
});

test('installations and discovery', async () => {
  const p = provider();
  const { access_token: token } = await p.mint({ login: 'bob' });
  await p.set({ installations: 2, wrong_issuer: true });
  const { total_count, installations } = await (await p.get('/installations', token)).json();
  assert.deepEqual([total_count, installations.length, installations[0].account.login], [2, 2, 'bob']);
  const discover = async () => (await p.get('/.well-known/openid-configuration')).json();
  assert.equal((await discover()).issuer, `${p.at}-impostor`);
  await p.set({ wrong_issuer: null });
  const document = await discover();
  assert.deepEqual([document.issuer, document.token_endpoint], [p.at, `${p.at}/token`]);
});

test('device flow: pending, slow_down, approved once, denied, expired', async () => {
  const p = provider();
  const begin = async () => (await p.form('/device/code', { client_id: ID, scope: 'repo' })).json;
  const poll = async (device_code) => (await p.form('/token', { grant_type: DEVICE_GRANT, device_code, client_id: ID })).json;
  const decide = (user_code, approve) => control(`/${p.name}/device`, 'POST', { user_code, approve, login: 'eve' });
  const a = await begin();
  assert.deepEqual([a.interval, a.expires_in, a.verification_uri], [5, 900, `${p.at}/device`]);
  assert.match(a.user_code, /^[A-Z]{4}-[A-Z]{4}$/);
  assert.equal((await poll(a.device_code)).error, 'authorization_pending');
  assert.equal((await poll(a.device_code)).error, 'slow_down');
  await p.set({ device_enforce_interval: false });
  assert.equal((await poll(a.device_code)).error, 'authorization_pending');
  assert.equal((await decide(a.user_code, true)).status, 204);
  assert.equal((await decide(a.user_code, true)).status, 404);
  const { access_token: token } = await poll(a.device_code);
  assert.equal((await (await p.get('/user', token)).json()).login, 'eve');
  assert.equal((await poll(a.device_code)).error, 'invalid_grant');
  const b = await begin();
  await decide(b.user_code, false);
  assert.equal((await poll(b.device_code)).error, 'access_denied');
  const c = await begin();
  assert.match((await p.form('/device', { user_code: c.user_code, decision: 'approve' })).text, /Approved/);
  assert.ok((await poll(c.device_code)).access_token);
  await p.set({ device_expires_in: 0, device_interval: 2, device_interval_sent: false });
  const d = await begin();
  assert.equal(d.interval, undefined);
  assert.equal((await poll(d.device_code)).error, 'expired_token');
  await p.set({ device_interval_sent: true });
  assert.equal((await begin()).interval, 2);
});

test('faults that make up the answer: status, body, headers, error, redirect, content_type, skip, times, commit', async () => {
  const p = provider();
  const { access_token: token } = await p.mint();
  const fault = (validate) => p.set({ faults: { validate } });
  const get = () => fetch(`${p.at}/user`, { redirect: 'manual', headers: { authorization: `Bearer ${token}` } });
  await fault({ status: 429, headers: { 'Retry-After': '7', 'X-RateLimit-Remaining': '0' }, skip: 1, times: 2 });
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await get()).status);
  assert.deepEqual(statuses, [200, 429, 429, 200]);
  await fault({ status: 503, body: 'oops', content_type: 'text/plain', headers: { 'Retry-After': '7' } });
  const oops = await get();
  assert.deepEqual([oops.status, await oops.text(), oops.headers.get('retry-after'), oops.headers.get('content-type')],
    [503, 'oops', '7', 'text/plain']);
  await fault({ redirect: 'http://127.0.0.1:9/', status: 307 });
  const moved = await get();
  assert.deepEqual([moved.status, moved.headers.get('location')], [307, 'http://127.0.0.1:9/']);
  await fault({ redirect: 'http://127.0.0.1:9/' });
  assert.equal((await get()).status, 302);
  await fault(null);
  assert.equal((await get()).status, 200);
  await p.set({ faults: { token: { error: 'temporarily_unavailable', status: 503, times: 1 }, revoke: { status: 500 } } });
  const code = await p.code();
  const failed = await p.exchange(code);
  assert.deepEqual([failed.status, failed.json.error], [503, 'temporarily_unavailable']);
  assert.equal((await p.exchange(code)).status, 200, 'the fault did not use up the code');
  await p.set({ faults: { token: { status: 500, commit: 'yes', times: 1 } } });
  const { refresh_token: refresh } = await p.mint();
  assert.equal((await p.refresh(refresh)).status, 500);
  assert.equal((await p.refresh(refresh)).json.error, 'invalid_grant', 'this one did use up the token');
  assert.equal((await p.form('/revoke', {})).status, 500, 'faults of other endpoints stay');
  await p.set({ faults: { installations: { status: 500 }, device: { status: 500 }, authorize: { status: 500 }, discovery: { status: 500 } } });
  for (const path of ['/installations', '/.well-known/openid-configuration']) assert.equal((await p.get(path, token)).status, 500);
  assert.equal((await p.form('/device/code', {})).status, 500);
  assert.equal((await p.authorize()).status, 500);
});

test('faults of manners: cut, body_bytes, trickle_ms, delay_ms, lag_ms, black_hole', async () => {
  const p = provider();
  const { access_token: token } = await p.mint();
  const get = async (validate) => { await p.set({ faults: { validate } }); return rawGet(`${p.at}/user`, token); };
  assert.deepEqual(await get({ cut: 'before_headers' }), { status: 0, bytes: 0, broken: true, chunks: 0 });
  const half = await get({ cut: 'mid_body' });
  assert.ok(half.status === 200 && half.broken && half.bytes > 0);
  const huge = await get({ body_bytes: 3000000 });
  assert.deepEqual([huge.bytes, huge.broken], [3000000, false]);
  const slow = await get({ status: 200, body: 'abcde', trickle_ms: 5 });
  assert.ok(slow.bytes === 5 && slow.chunks > 1);
  const began = performance.now();
  assert.equal((await get({ delay_ms: 80 })).status, 200);
  assert.ok(performance.now() - began >= 79);
  assert.equal((await get({ lag_ms: 60000 })).status, 401);
  assert.equal((await get({ lag_ms: 0 })).status, 200);
  await p.set({ faults: { validate: { black_hole: true } } });
  const lost = rawGet(`${p.at}/user`, token);
  while ((await p.log()).at(-1).outcome !== 'black_hole') continue;
  await p.gate('validate', { state: 'open' });
  assert.deepEqual((await lost).status, 0);
});

test('gates hold before and after the effect, in order, and once', async () => {
  const p = provider();
  const { access_token: token } = await p.mint();
  await p.gate('validate', { state: 'closed' });
  const held = [p.get('/user', token), p.get('/user', token), p.get('/user', token)];
  assert.equal((await p.await('validate', 3)).json.waiting, 3);
  assert.equal((await p.await('validate', 4, 20)).status, 408);
  assert.deepEqual((await p.release('validate', 2)).json.released, 2);
  await Promise.any(held);
  await control(`/${p.name}/revoke`, 'POST', { access_token: token });
  await p.gate('validate', { state: 'open' });
  const statuses = (await Promise.all(held)).map((answer) => answer.status).sort();
  assert.equal(statuses[2], 401, 'the last one came in before the revocation and was judged after it');

  await p.gate('token', { state: 'once', moment: 'after' });
  const { refresh_token: refresh } = await p.mint();
  const first = p.refresh(refresh);
  assert.equal((await p.await('token', 1)).status, 200);
  assert.equal((await p.refresh(refresh)).json.error, 'invalid_grant', 'the first one has used it up already');
  await p.release('token');
  assert.equal((await first).status, 200);
  const { counters } = await p.show();
  assert.deepEqual([counters.refreshes_overlapping, counters.in_flight_max.token], [1, 2]);
  for (const endpoint of ['authorize', 'revoke', 'device', 'installations']) {
    await p.gate(endpoint, { state: 'once' });
    const one = { authorize: () => p.authorize(), revoke: () => p.form('/revoke', {}), device: () => p.form('/device/code', {}),
      installations: () => p.get('/installations') }[endpoint]();
    assert.equal((await p.await(endpoint, 1)).status, 200, endpoint);
    await p.release(endpoint);
    await one;
  }
});

test('the log shows what was asked and by whom, and never a secret', async () => {
  const p = provider();
  const tokens = (await p.exchange(await p.code(), {}, basic(ID, SECRET))).json;
  await p.get('/user', tokens.access_token);
  const log = await p.log();
  assert.deepEqual(log.map((entry) => entry.endpoint), ['authorize', 'token', 'validate']);
  assert.deepEqual([log[1].client_auth, log[1].outcome, log[1].status], ['basic', 'granted', 200]);
  assert.ok(log[1].parameters.includes('redirect_uri'));
  assert.match(log[1].values.code, /^sha256:[0-9a-f]{16}$/);
  const issued = (await control('/tokens')).json.tokens.filter((token) => token.provider === p.name);
  assert.deepEqual(issued.map((token) => token.kind).sort(), ['access_token', 'code', 'refresh_token']);
  for (const secret of [...issued.map((token) => token.value), SECRET]) assert.ok(!JSON.stringify(log).includes(secret));
  assert.equal(log[2].values.authorization, issued.find((token) => token.kind === 'access_token').fingerprint);
  for (let i = 0; i < 1005; i++) await p.get('/validate', tokens.access_token);
  assert.equal((await p.log()).length, 1000);
});

test('unknown switches, values, fields and paths are refused, and a refused change changes nothing', async () => {
  const p = provider();
  const refused = async (body, why) => {
    const { status, json } = await control(`/${p.name}`, 'PUT', body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(json.message, why);
  };
  await refused({ rotate: false, nonsense: 1 }, /nonsense/);
  await refused({ nonsense: null }, /nonsense/);
  await refused({ rotate: 'yes' }, /rotate takes true\|false/);
  await refused({ client_auth: 'magic' }, /any\|basic/);
  await refused({ expires_in: -1 }, /expires_in/);
  await refused({ faults: { nowhere: {} } }, /nowhere/);
  await refused({ faults: { token: { stat: 500 } } }, /stat/);
  await refused({ faults: { token: { status: 99 } } }, /status/);
  await refused({ faults: { token: { headers: { a: 1 } } } }, /headers/);
  await refused({ faults: 3 }, /faults/);
  assert.equal((await p.show()).switches.rotate, true);
  assert.equal((await fetch(`${running.url}/UPPER/user`)).status, 404);
  assert.equal((await fetch(`${p.at}/nothing`)).status, 404);
  assert.equal((await fetch(`${p.at}/user`, { method: 'POST' })).status, 405);
  assert.equal((await p.gate('nowhere', { state: 'open' })).status, 404);
  assert.equal((await p.gate('token', { state: 'ajar' })).status, 400);
  assert.equal((await p.form('/token', 'grant_type=refresh_token&grant_type=x')).json.error, 'invalid_request');
  assert.equal((await p.form('/token', 'grant_type=%zz')).json.error, 'invalid_request');
  assert.equal((await p.form('/token', { grant_type: 'password', client_id: ID })).json.error, 'unsupported_grant_type');
  assert.equal((await p.form('/token', 'a\0b')).status, 400);
  assert.equal((await p.form('/token', 'grant_type=%00')).json.error, 'invalid_request');
  assert.equal((await p.form('/token', 'a='.padEnd(1100000, 'x'))).status, 413);
});

test('a reset forgets switches, tokens and log, but not what was issued', async () => {
  const p = provider();
  const { access_token: token } = await p.mint();
  await p.set({ rotate: false });
  await p.get('/user', token);
  assert.equal((await control(`/${p.name}`, 'DELETE')).status, 204);
  assert.equal((await p.get('/user', token)).status, 401);
  const { switches, counters } = await p.show();
  assert.deepEqual([switches.rotate, counters.tokens_issued, (await p.log()).length], [true, 0, 1]);
  const issued = (await control('/tokens')).json.tokens.find((each) => each.value === token);
  assert.equal(issued.live, false);
});

test('options: config, client, url-file; wrong ones end with 2; the help and the README name every switch', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'provider-'));
  const config = join(folder, 'config.json');
  const urlFile = join(folder, 'url');
  writeFileSync(config, JSON.stringify({ hub: { login: 'zoe' } }));
  const other = await driver.start(BIN, ['--listen', 'localhost:0', '--config', config, '--client', 'hub=me:pw', '--url-file', urlFile]);
  const { switches } = await (await fetch(`${other.url}/_control/hub`)).json();
  assert.deepEqual([switches.login, switches.client_id, switches.client_secret], ['zoe', 'me', 'pw']);
  assert.equal(readFileSync(urlFile, 'utf8'), `${other.url}\n`);
  await fetch(`${other.url}/_control/hub/gates/validate`, {
    method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"state":"closed"}' });
  const held = fetch(`${other.url}/hub/user`).catch(() => null);
  await fetch(`${other.url}/_control/hub/gates/validate?waiting=1`);
  const told = performance.now();
  other.child.kill('SIGTERM');
  assert.equal(await other.ended, 0);
  assert.ok(performance.now() - told < 1500, 'it ends quickly with a request held');
  await held;
  rmSync(folder, { recursive: true });

  for (const wrong of [['--threads', '0'], ['--config', '/nonexistent'], ['--client', 'x'], ['--what'], ['stray']])
    assert.equal(spawnSync(BIN, wrong).status, 2, wrong.join(' '));
  const help = spawnSync(BIN, ['--help'], { encoding: 'utf8' }).stdout;
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const fields = [...help.matchAll(/^ {2}([a-z_0-9]+) +\S.*\n +takes /gm)].map((match) => match[1]);
  for (const name of Object.keys(switches)) assert.match(help, new RegExp(`^  ${name} `, 'm'));
  assert.ok(fields.length > 35);
  for (const name of fields) assert.ok(readme.includes(`\`${name}\``), `README.md lacks ${name}`);
});
