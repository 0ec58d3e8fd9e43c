// SPDX-License-Identifier: Apache-2.0
// The login server from the side of a command line that is written by hand: forms out, JSON back, each answer held
// against the document; and a user's answer to a code, given where the page gives it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

export const CLIENT_ID = "gatehouse-cli";
export const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";

// `fields` as an object, or as pairs where a name is repeated.
export const postForm = (service, path, fields, { headers = {}, ...options } = {}) =>
  service.request("POST", path, {
    raw: new URLSearchParams(fields).toString(),
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
    ...options,
  });

export async function startDevice(world, service = world.service) {
  const answer = await postForm(service, "/oauth2/device_authorization", { client_id: CLIENT_ID });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

export const poll = (world, { device_code }, { service = world.service, ...fields } = {}) =>
  postForm(service, "/oauth2/token", { grant_type: DEVICE_CODE, device_code, client_id: CLIENT_ID, ...fields });

export const refresh = (world, refresh_token, { service = world.service, ...fields } = {}) =>
  postForm(service, "/oauth2/token", { grant_type: "refresh_token", refresh_token, client_id: CLIENT_ID, ...fields });

export const revoke = (world, token, { service = world.service, ...fields } = {}) =>
  postForm(service, "/oauth2/revoke", { token, client_id: CLIENT_ID, ...fields });

export const hashOf = (text) => createHash("sha256").update(text).digest();

// As the page writes it.
export async function decide(world, { user_code }, user, status = "approved") {
  const rows = await world.sql(
    `UPDATE device_grants SET status = $3, user_id = $2, decided_at = now()
     WHERE user_code_hash = $1 AND status = 'pending' AND expires_at > now() RETURNING id`,
    [hashOf(`user code\0${user_code.replace("-", "")}`), user.id, status]);
  assert.equal(rows.length, 1, "the code waits for an answer");
}

// A whole login: {access_token, refresh_token, …}.
export async function logIn(world, user, service = world.service) {
  const codes = await startDevice(world, service);
  await decide(world, codes, user);
  const answer = await poll(world, codes, { service });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}
