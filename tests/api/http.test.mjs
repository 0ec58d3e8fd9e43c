// SPDX-License-Identifier: Apache-2.0
// HTTP as such: what every answer carries, what a body must be, and the framing traps that must be refused with the
// connection closed, because behind a trap hides a second request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.mjs";
import { checkAnswer } from "../support/openapi.mjs";
import { eventually } from "../support/process.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open();
const { service } = world;
const token = service.adminToken;
const me = "/api/v2/users/me";
const request = (method, path, options = {}) => world.api(method, path, { token, ...options });

// --------------------------------------------------------------------------------------------------- what is carried

test("a sane request id comes back, in the body as well", async () => {
  for (const id of ["abc", "A-1_b.2", "x".repeat(128), "1"]) {
    const answer = await request("GET", "/api/v2/users/nobody", { headers: { "X-Request-Id": id } });
    assert.equal(answer.headers["x-request-id"], id);
    assert.equal(answer.body.request_id, id);
  }
});

test("an insane request id is replaced", async () => {
  for (const id of ["", "a b", "x".repeat(129), "a\"b", "<script>", "a;b", "é"]) {
    const answer = await request("GET", me, { headers: { "X-Request-Id": id } });
    assert.equal(answer.status, 200);
    assert.notEqual(answer.headers["x-request-id"], id);
  }
});

test("request ids that are made up differ", async () => {
  const ids = new Set();
  for (let i = 0; i < 20; i++) ids.add((await request("GET", me)).headers["x-request-id"]);
  assert.equal(ids.size, 20);
});

test("no-store is on every kind of answer", async () => {
  const answers = [
    await request("GET", me), await request("GET", "/nothing-here"), await world.api("GET", me), await request("PUT", me),
    await request("POST", "/api/v2/users", { raw: "x", headers: { "Content-Type": "text/plain" } }),
    await world.api("GET", "/healthz", { admin: true }),
  ];
  for (const answer of answers) assert.equal(answer.headers["cache-control"], "no-store", String(answer.status));
});

test("an unknown path is 404 in JSON", async () => {
  for (const path of ["/api", "/api/v2", "/api/v2/", "/api/v2/users/", "/api/v2/usersx", "/api/v2/users/me/x", "/API/V2/USERS", "/favicon.ico",
    "/healthz", "/metrics", "/readyz", "//api/v2/users", "/api/v2/templates/", "/external-auth", "/external-auth/", "/external-auth/demo/other"])
    assertError(await request("GET", path), 404, "not_found");
});

test("a path that climbs or hides a NUL leads nowhere", async () => {
  for (const path of ["/api/v2/../v2/users", "/../../etc/passwd", "/api/v2/users/%2e%2e/users", "/api/v2/users/me%00", "/api/v2/users/me%00x", "/api/v2%2fusers", "/%", "/%zz", "/api/v2/users/%C3%28"]) {
    const connection = await RawConnection.open(service.base);
    connection.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
    const [answer] = await connection.answers();
    assert.ok(answer && [400, 404].includes(answer.status), `${path}: ${connection.received}`);
  }
});

test("a method that a path has not is 405 and told which it has", async () => {
  for (const [method, path, allowed] of [
    ["DELETE", "/api/v2/users", ["GET", "HEAD", "POST"]], ["PUT", me, ["DELETE", "GET", "HEAD", "PATCH"]], ["POST", "/api/v2/external-auth", ["GET", "HEAD"]],
    ["GET", `/api/v2/templateversions/${UNKNOWN_ID}/archive`, ["POST"]], ["POST", "/external-auth/demo", ["GET", "HEAD"]],
    ["OPTIONS", "/api/v2/users", ["GET", "HEAD", "POST"]], ["HEAD", `/api/v2/templateversions/${UNKNOWN_ID}/archive`, ["POST"]],
    ["PATCH", "/api/v2/organizations/default/members/me/workspaces", ["POST"]],
  ]) {
    const answer = await request(method, path);
    if (method === "HEAD") assert.equal(answer.status, 405);
    else assertError(answer, 405, "method_not_allowed");
    assert.deepEqual(answer.headers.allow.split(", ").sort(), allowed);
  }
});

test("HEAD is answered as GET, without a body", async () => {
  const connection = await RawConnection.open(service.base);
  connection.send(`HEAD ${me} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
  await eventually("it is closed", () => connection.closed, 10000, 5);
  assert.match(connection.received, /^HTTP\/1\.1 200 /);
  assert.match(connection.received, /^Content-Length: [1-9]/im);
  assert.equal(connection.received.split("\r\n\r\n")[1], "");
});

test("methods nobody knows are refused", async () => {
  for (const method of ["TRACE", "CONNECT", "FOO", "get", "PROPFIND"]) {
    const connection = await RawConnection.open(service.base);
    connection.send(`${method} ${me} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
    const answers = await connection.answers();
    assert.ok(answers.every(({ status }) => [400, 405, 501].includes(status)), connection.received);
  }
});

// -------------------------------------------------------------------------------------------------------- the body

const post = (raw, type = "application/json") => request("POST", "/api/v2/users", { raw, headers: type === null ? {} : { "Content-Type": type } });

test("a body must say that it is JSON", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", "multipart/form-data; boundary=x", null])
    assertError(await post(JSON.stringify({ username: world.name("type") }), type), 415, "unsupported_media_type");
});

test("the media type's letters and parameters do not matter", async () => {
  for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8", "application/json ; charset=\"utf-8\""])
    assert.equal((await post(JSON.stringify({ username: world.name("type") }), type)).status, 201, type);
});

const deep = (levels) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
for (const [name, raw] of [
  ["a blank", " "], ["half an object", "{\"username\":\"a\""], ["text after it", "{\"username\":\"a\"} x"], ["two objects", "{}{}"],
  ["a trailing comma", "{\"username\":\"a\",}"], ["single quotes", "{'username':'a'}"], ["a comment", "{} // x"], ["NaN", "{\"username\":NaN}"],
  ["a leading zero", "{\"username\":\"a\",\"n\":01}"], ["a number without end", "{\"username\":\"a\",\"n\":1e400}"], ["a raw newline in a text", "{\"username\":\"a\nb\"}"],
  ["an escape of NUL", "{\"username\":\"a\\u0000b\"}"], ["a NUL", Buffer.from("{\"username\":\"a\0b\"}")], ["a NUL behind it", Buffer.from("{\"username\":\"abc\"}\0")],
  ["a byte order mark", "\uFEFF{\"username\":\"a\"}"], ["half a surrogate", "{\"username\":\"a\",\"x\":\"\\ud800\"}"],
  ["a lone byte of UTF-8", Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc3, 0x22, 0x7d])], ["an overlong form", Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc0, 0x80, 0x22, 0x7d])],
  ["a surrogate in UTF-8", Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d])],
  ["a name twice", "{\"username\":\"a\",\"username\":\"b\"}"], ["a name twice, deep inside", "{\"username\":\"a\",\"x\":{\"y\":1,\"y\":2}}"],
  ["a name twice, once by escapes", "{\"username\":\"a\",\"user\\u006eame\":\"b\"}"],
  ["65 levels", `{"x":${deep(65)}}`], ["100000 levels", `{"x":${deep(100000)}}`], ["an open end of 100000 levels", "[".repeat(100000)],
])
  test(`a body with ${name} is malformed`, async () => {
    const rows = await world.countRows();
    assertError(await post(raw), 400, "malformed_json");
    assert.deepEqual(await world.countRows(), rows);
  });

for (const raw of ["[]", "\"x\"", "5", "null", "true"])
  test(`a body that is ${raw} is no object`, async () => {
    const answer = await post(raw);
    assert.equal(answer.status, 400, answer.text);
    assert.ok(["bad_request", "malformed_json"].includes(answer.body.code), answer.text);
  });

test("60 levels are fine where they are not read", async () =>
  assert.equal((await post(`{"username":"${world.name("deep")}","x":${deep(60)}}`)).status, 201));

test("another case of a field is not read as the field", async () => {
  for (const raw of ["{\"Username\":\"abc\"}", "{\"username\":\"abc\",\"Username\":\"def\"}", "{\"USERNAME\":\"abc\",\"username\":\"def\"}"])
    assertError(await post(raw), 400, "validation_failed", "username");
});

test("an empty body is an empty object", async () => assertError(await post(""), 400, "validation_failed", "username"));

test("1 MiB is read, one byte more is 413", async () => {
  const body = (size) => {
    const start = `{"username":"${world.name("big")}","x":"`;
    return `${start}${"y".repeat(size - start.length - 2)}"}`;
  };
  assert.equal((await post(body(1024 * 1024))).status, 201);
  assertError(await post(body(1024 * 1024 + 1)), 413, "body_too_large");
});

test("a body of 1 GiB is refused before it is sent", async () => {
  const connection = await RawConnection.open(service.base);
  connection.send(`POST /api/v2/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{`);
  const [answer] = await connection.answers({ timeoutMs: 5000 });
  assert.equal(answer.status, 413);
  assertError({ ...answer, body: checkAnswer("POST", "/api/v2/users", answer) }, 413, "body_too_large");
});

test("a chunked body over 1 MiB is refused too", async () => {
  const connection = await RawConnection.open(service.base);
  connection.send(`POST /api/v2/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
  for (let i = 0; i < 20; i++) connection.send(chunk);
  connection.send("0\r\n\r\n");
  const [answer] = await connection.answers({ timeoutMs: 5000 });
  assert.equal(answer.status, 413);
});

// -------------------------------------------------------------------------------------------------------- framing

const lines = (...parts) => `${parts.join("\r\n")}\r\n\r\n`;
const payload = (name) => JSON.stringify({ username: name });
const head = ["Host: x", `Authorization: Bearer ${token}`, "Content-Type: application/json"];

async function converse(text, options) {
  const connection = await RawConnection.open(service.base);
  connection.send(text);
  return { answers: await connection.answers(options), connection };
}

test("a chunked body is read", async () => {
  const name = world.name("chunked");
  const body = payload(name);
  const half = body.slice(0, 5);
  const rest = body.slice(5);
  const { answers: [answer] } = await converse(lines("POST /api/v2/users HTTP/1.1", ...head, "Transfer-Encoding: chunked", "Connection: close") +
    `${half.length.toString(16)}\r\n${half}\r\n${rest.length.toString(16).toUpperCase()}\r\n${rest}\r\n0\r\n\r\n`);
  assert.equal(answer.status, 201, answer.text);
});

test("requests in a row are answered in order on one connection", async () => {
  const body = payload(world.name("piped"));
  const text = lines(`GET ${me} HTTP/1.1`, "Host: x", `Authorization: Bearer ${token}`) +
    lines("POST /api/v2/users HTTP/1.1", ...head, `Content-Length: ${body.length}`) + body +
    lines("GET /nothing-here HTTP/1.1", "Host: x", "Connection: close");
  const { answers } = await converse(text);
  assert.deepEqual(answers.map(({ status }) => status), [200, 201, 404]);
});

test("Expect: 100-continue does not make a client wait", async () => {
  const body = payload(world.name("expect"));
  const connection = await RawConnection.open(service.base);
  connection.send(lines("POST /api/v2/users HTTP/1.1", ...head, `Content-Length: ${body.length}`, "Expect: 100-continue", "Connection: close"));
  await eventually("an answer comes", () => connection.received, 3000, 5);
  assert.match(connection.received, /^HTTP\/1\.1 100 /);
  connection.send(body);
  const answers = await connection.answers();
  assert.equal(answers.at(-1).status, 201, connection.received);
});

const smuggled = lines("GET /api/v2/templates HTTP/1.1", "Host: x", `Authorization: Bearer ${token}`, "X-Request-Id: smuggled");
const many = (count) => Array.from({ length: count }, (_, i) => `X-Filler-${i}: x`);
const TRAPS = [
  ["both length headers", ["Content-Length: 4", "Transfer-Encoding: chunked"], `0\r\n\r\n`],
  ["both length headers the other way round", ["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"],
  ["two lengths that differ", ["Content-Length: 2", "Content-Length: 3"], "{} "],
  ["two lengths that agree", ["Content-Length: 2", "Content-Length: 2"], "{}"],
  ["a list of lengths", ["Content-Length: 2, 2"], "{}"],
  ["the length 5abc", ["Content-Length: 5abc"], "{}   "],
  ["the length +5", ["Content-Length: +5"], "{}   "],
  ["the length 0x5", ["Content-Length: 0x5"], "{}   "],
  ["the length -1", ["Content-Length: -1"], "{}"],
  ["an empty length", ["Content-Length: "], "{}"],
  ["the length 1 2", ["Content-Length: 1 2"], "{}"],
  ["a length beyond 64 bit", ["Content-Length: 99999999999999999999999"], "{}"],
  ["a length of 2^64 + 2", ["Content-Length: 18446744073709551618"], "{}"],
  ["a blank before the colon of a length", ["Content-Length : 2"], "{}"],
  ["a blank before the colon of the transfer coding", ["Transfer-Encoding : chunked"], "0\r\n\r\n"],
  ["two transfer codings", ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ["chunked twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ["a transfer coding nobody knows", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
  ["gzip, chunked", ["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"],
  ["chunked, identity", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
  ["a chunk size that is none", ["Transfer-Encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n"],
  ["a chunk size beyond 64 bit", ["Transfer-Encoding: chunked"], "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"],
  ["a negative chunk size", ["Transfer-Encoding: chunked"], "-2\r\n{}\r\n0\r\n\r\n"],
  ["a chunk size with 0x", ["Transfer-Encoding: chunked"], "0x2\r\n{}\r\n0\r\n\r\n"],
  ["a chunk longer than it says", ["Transfer-Encoding: chunked"], "2\r\n{}abc\r\n0\r\n\r\n"],
  ["two hosts", ["Host: y", "Content-Length: 2"], "{}"],
];

for (const [name, headers, body] of TRAPS)
  test(`${name}: 400, the connection is closed, and what follows is not run`, async () => {
    const rows = await world.countRows();
    const { answers, connection } = await converse(lines("POST /api/v2/users HTTP/1.1", ...head, ...headers) + body + smuggled, { timeoutMs: 15000 });
    assert.ok(connection.closed, "the connection is closed");
    assert.equal(answers.length, 1, `one answer: ${connection.received}`);
    assert.equal(answers[0].status, 400, connection.received);
    checkAnswer("POST", "/api/v2/users", answers[0]);
    assert.ok(!connection.received.includes("smuggled"));
    assert.deepEqual(await world.countRows(), rows);
  });

test("63 headers are read, and their last", async () => {
  const { answers: [answer] } = await converse(lines(`GET ${me} HTTP/1.1`, "Host: x", ...many(60), "Connection: close", `Authorization: Bearer ${token}`));
  assert.equal(answer.status, 200, answer.text);
});

test("65 headers are refused whole, and hide no request", async () => {
  const rows = await world.countRows();
  const body = payload(world.name("hidden"));
  const { answers, connection } = await converse(lines("POST /api/v2/users HTTP/1.1", ...many(61), ...head, `Content-Length: ${body.length}`) + body + smuggled);
  assert.equal(answers.length, 1, connection.received);
  assert.equal(answers[0].status, 431);
  assertError({ ...answers[0], body: checkAnswer("POST", "/api/v2/users", answers[0]) }, 431, "header_too_large");
  assert.ok(connection.closed);
  assert.deepEqual(await world.countRows(), rows);
});

test("headers over 16 KiB are refused and the connection closed", async () => {
  const { answers, connection } = await converse(lines(`GET ${me} HTTP/1.1`, "Host: x", `Authorization: Bearer ${token}`, `X-Long: ${"x".repeat(20000)}`) + smuggled);
  assert.ok(connection.closed);
  assert.ok(answers.length <= 1, connection.received);
  if (answers.length === 1) assert.ok([400, 431].includes(answers[0].status), connection.received);
});

for (const [name, text] of [
  ["no request line", "\r\n\r\n"], ["noise", "\x01\x02\x03\x04\r\n\r\n"], ["a request line without a version", "GET /\r\n\r\n"],
  ["HTTP/9.9", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"], ["a header without a colon", `GET ${me} HTTP/1.1\r\nHost: x\r\nNonsense\r\n\r\n`],
  ["a NUL in a header", `GET ${me} HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n`], ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
])
  test(`${name} is refused or the connection closed`, async () => {
    const { answers, connection } = await converse(text, { timeoutMs: 15000, count: 1 });
    assert.ok(answers.every(({ status }) => [400, 404, 431, 505].includes(status)), connection.received);
    connection.end();
  });

test("after all that the service answers as ever", async () => assert.equal((await request("GET", me)).status, 200));
