// SPDX-License-Identifier: Apache-2.0
// The other direction of the contract: what schema/openapi.yaml promises, some API test has seen. Runs after all other
// files and reads what they recorded in GATEHOUSE_COVERAGE_FILE.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { document, documentedFields, METHODS, pointer, resolve } from "../support/openapi.mjs";

// What no test can provoke, each with its reason.
const NEVER_SEEN = {
  codes: {
    internal: "a defect; whoever can provoke it mends it instead",
    overloaded: "says that a bound sized for hundreds of waiting requests is reached; the slow client tests stay below it",
  },
  fields: [
    [/^POST \/api\/v2\/organizations\/.* 201 .*\.warnings\[\]\./, "the same handler as the shorter path, where warnings are seen"],
    [/^POST \/api\/v2\/templates\/.*\/prebuilds 201 .*\.warnings\[\]\./, "prebuilds are never gated"],
  ],
};

const file = process.env.GATEHOUSE_COVERAGE_FILE;
const skip = file ? false : "GATEHOUSE_COVERAGE_FILE names no file; tests/support/run_api.mjs sets it";
const read = () => readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));

// A runner may start this file while the one before it still runs: waits until all that began have ended.
async function readWhenDone() {
  await sleep(1000);
  for (const deadline = Date.now() + 170000; ;) {
    const lines = read();
    const ended = new Set(lines.map((line) => line.ended));
    if (lines.every(({ begun }) => begun === undefined || ended.has(begun)) || Date.now() > deadline) return lines;
    await sleep(250);
  }
}

const lines = file ? await readWhenDone() : [];
const seenOperations = new Set(lines.map(({ operation }) => operation));
const seenCodes = new Set(lines.map(({ code }) => code));
const seenFields = new Set(lines.filter(({ field }) => field).map(({ operation, status, field }) => `${operation} ${status} ${field}`));
const seenStatuses = new Set(lines.filter(({ status }) => status).map(({ operation, status }) => `${operation} ${status}`));
const anywhere = new Set(lines.filter(({ field }) => field).map(({ field }) => field));

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({ name: `${method.toUpperCase()} ${path}`, path, method, ...item[method] })));

function* responsesOf({ path, method, responses }) {
  for (const [status, reference] of Object.entries(responses)) {
    const { node } = resolve(reference, pointer("paths", path, method, "responses", status));
    yield { status, schema: node.content?.["application/json"]?.schema };
  }
}

// The table is C, so its strings are put together as the compiler would. What stands in two tables is defined above them.
// A route for any method is documented once, as GET, and the rest of a path as its parameter `path`.
function routesOfCode() {
  const code = readFileSync(new URL("../../gate/http/route.c", import.meta.url), "utf8");
  const words = Object.fromEntries([...code.matchAll(/^#define (\w+) "([^"]*)"/gm)].map(([, name, text]) => [name, text]));
  const join = (text) => [...text.matchAll(/"([^"]*)"|(\w+)/g)].map(([, literal, name]) => literal ?? words[name]).join("");
  const asDocumented = (method, path) => `${method === "ANY" ? "GET" : method} ${path.replace(/\/\.\.\.$/, "/{path}")}`;
  return [...code.matchAll(/(?:\{|^#define \w+ )"([A-Z]+)", ([^,]+),/gm)].map(([, method, path]) => asDocumented(method, join(path)));
}

test("the code's table of routes and the document name the same operations", () => {
  const coded = routesOfCode();
  assert.ok(coded.length > 20, `${coded.length} routes were read from the code`);
  assert.deepEqual(coded.sort(), operations.map(({ name }) => name).sort());
});

test("every documented operation was seen", { skip }, () => {
  assert.deepEqual(operations.map(({ name }) => name).filter((name) => !seenOperations.has(name)), []);
});

test("every successful status of every operation was seen", { skip }, () => {
  const missing = [];
  for (const operation of operations)
    for (const { status } of responsesOf(operation))
      if (Number(status) < 400 && !seenStatuses.has(`${operation.name} ${status}`)) missing.push(`${operation.name} ${status}`);
  assert.deepEqual(missing, []);
});

test("every refusal of access, absence and wrong body of every operation was seen", { skip }, () => {
  const missing = [];
  for (const operation of operations)
    for (const { status } of responsesOf(operation))
      if (["400", "401", "403", "404", "409", "502"].includes(status) && !seenStatuses.has(`${operation.name} ${status}`))
        missing.push(`${operation.name} ${status}`);
  // Statuses that only a suspended caller gets are the same code for every operation, and seen on some.
  const forbidden = missing.filter((line) => line.endsWith(" 403"));
  assert.ok(forbidden.length < operations.length / 2, forbidden.join("\n"));
  assert.deepEqual(missing.filter((line) => !line.endsWith(" 403")), []);
});

test("every documented field of every successful answer was seen", { skip }, () => {
  const missing = new Set();
  for (const operation of operations)
    for (const { status, schema } of responsesOf(operation))
      for (const field of schema && Number(status) < 400 ? documentedFields(schema) : []) {
        const line = `${operation.name} ${status} ${field}`;
        if (!seenFields.has(line) && !NEVER_SEEN.fields.some(([pattern]) => pattern.test(line))) missing.add(line);
      }
  assert.deepEqual([...missing], []);
});

test("every field of errors and refusals was seen somewhere", { skip }, () => {
  const missing = new Set();
  for (const name of ["Error", "Refusal"])
    for (const field of documentedFields({ $ref: `#/components/schemas/${name}` })) if (!anywhere.has(field)) missing.add(`${name} ${field}`);
  assert.deepEqual([...missing], []);
});

test("every error code was seen", { skip }, () => {
  const codes = document.components.schemas.ErrorCode.enum;
  assert.deepEqual(codes.filter((code) => !seenCodes.has(code) && !NEVER_SEEN.codes[code]), []);
});

test("every error code is the answer of some operation", () => {
  const named = new Set(JSON.stringify(document.components.responses).match(/"[a-z_]+"/g).map((word) => word.slice(1, -1)));
  assert.deepEqual(document.components.schemas.ErrorCode.enum.filter((code) => !named.has(code)), []);
});
