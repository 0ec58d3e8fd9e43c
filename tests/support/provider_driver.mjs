// SPDX-License-Identifier: Apache-2.0
// Drives the demonstration provider from tests: starts it, speaks its control API, and plays the client of a provider.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { request } from 'node:http';

export const ID = 'gatehouse-demo';
export const SECRET = 'gatehouse-demo-secret';
export const CALLBACK = 'http://127.0.0.1:9/callback';

// Starts the binary and waits for its line; `ended` resolves with the exit code.
export async function start(bin, args = []) {
  const child = spawn(bin, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const line = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)));
    ended.then((code) => reject(new Error(`ended with ${code}`)));
  });
  return { child, ended, line, url: line.match(/listening on (\S+)/)[1] };
}

export async function control(url, path, method = 'GET', body) {
  const answer = await fetch(`${url}/_control${path}`, {
    method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, json: text ? JSON.parse(text) : null };
}

// The provider `name` of the process at `url`, and a client of it.
export function provider(url, name) {
  const at = `${url}/${name}`;
  const form = async (path, fields, headers = {}) => {
    const body = typeof fields === 'string' ? fields : String(new URLSearchParams(fields));
    const answer = await fetch(at + path, {
      method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body,
    });
    const text = await answer.text();
    let json = null;
    try { json = JSON.parse(text); } catch { /* some switches make it so */ }
    return { status: answer.status, headers: answer.headers, text, json };
  };
  const me = {
    name, at, form,
    set: async (switches) => {
      const answer = await control(url, `/${name}`, 'PUT', switches);
      assert.equal(answer.status, 200, JSON.stringify(answer.json));
      return answer.json;
    },
    show: async () => (await control(url, `/${name}`)).json,
    mint: async (facts = {}) => (await control(url, `/${name}/tokens`, 'POST', facts)).json,
    gate: (endpoint, body) => control(url, `/${name}/gates/${endpoint}`, 'PUT', body),
    await: (endpoint, n, ms = 3000) => control(url, `/${name}/gates/${endpoint}?waiting=${n}&timeout_ms=${ms}`),
    release: (endpoint, count = 1) => control(url, `/${name}/gates/${endpoint}/release`, 'POST', { count }),
    log: async () => (await control(url, `/${name}/requests`)).json.requests,
    get: (path, token) => fetch(at + path, { headers: token ? { authorization: `Bearer ${token}` } : {} }),
    authorize: async (changes = {}) => {
      const query = { response_type: 'code', client_id: ID, redirect_uri: CALLBACK, state: 's t', scope: 'repo', ...changes };
      for (const key of Object.keys(query)) if (query[key] === null) delete query[key];
      const answer = await fetch(`${at}/authorize?${new URLSearchParams(query)}`, { redirect: 'manual' });
      const location = answer.headers.get('location');
      return { status: answer.status, text: await answer.text(), back: location && new URL(location).searchParams };
    },
    code: async (changes) => (await me.authorize(changes)).back.get('code'),
    exchange: (code, fields = {}, headers) => me.form('/token', {
      grant_type: 'authorization_code', code, redirect_uri: CALLBACK, client_id: ID, client_secret: SECRET, ...fields,
    }, headers),
    refresh: (token, fields = {}) => me.form('/token', {
      grant_type: 'refresh_token', refresh_token: token, client_id: ID, client_secret: SECRET, ...fields,
    }),
  };
  return me;
}

export const basic = (id, secret) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });

// A GET that tells how far the answer came: status, bytes, and whether the connection broke.
export const rawGet = (url, token) => new Promise((resolve) => {
  const result = { status: 0, bytes: 0, broken: false, chunks: 0 };
  const sent = request(url, { headers: { authorization: `Bearer ${token}` }, agent: false }, (answer) => {
    result.status = answer.statusCode;
    answer.on('data', (data) => { result.bytes += data.length; result.chunks++; });
    answer.on('error', () => { result.broken = true; });
    answer.on('close', () => { result.broken ||= !answer.complete; resolve(result); });
  });
  sent.on('error', () => { result.broken = true; resolve(result); });
  sent.end();
});
