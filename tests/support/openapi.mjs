// SPDX-License-Identifier: Apache-2.0
// Holds answers against schema/openapi.yaml: each must be one that the document lists for its operation, closed and
// complete. What was seen is written to GATEHOUSE_COVERAGE_FILE, so that a last test can name what nobody ever saw.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

export const METHODS = ["get", "post", "put", "patch", "delete"];
const file = new URL("../../schema/openapi.yaml", import.meta.url);
export const document = parse(readFileSync(file, "utf8"));

const ajv = new Ajv2020.default({ strict: false, allErrors: true, validateFormats: true });
addFormats.default(ajv);
ajv.addSchema(document, "openapi", false, false);

const escapePointer = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");
export const pointer = (...parts) => `#/${parts.map(escapePointer).join("/")}`;

export function lookUp(reference) {
  return reference.slice(2).split("/").reduce(
    (node, part) => node[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")], document);
}

// Follows references; also says where in the document the end of them stands.
export function resolve(node, place) {
  while (node.$ref && Object.keys(node).length === 1) {
    place = node.$ref;
    node = lookUp(place);
  }
  return { node, place };
}

const routes = Object.keys(document.paths).map((template) => ({
  template,
  parts: template.split("/"),
  literals: template.split("/").filter((part) => !part.startsWith("{")).length,
})).sort((a, b) => b.literals - a.literals);

// The path of the document that a request path belongs to, or null. The last parameter of a path with
// `x-any-method-and-rest` stands for any number of segments, none included.
export function findTemplate(path) {
  const parts = path.split("?")[0].split("/");
  const takesRest = ({ template }) => document.paths[template]["x-any-method-and-rest"];
  const hasLength = (route) => (takesRest(route) ? parts.length >= route.parts.length - 1 : parts.length === route.parts.length);
  const fits = (route) => hasLength(route) && (takesRest(route) ? route.parts.slice(0, -1) : route.parts)
    .every((part, index) => part === parts[index] || (part.startsWith("{") && parts[index] !== ""));
  return routes.find(fits)?.template ?? null;
}

const coverageFile = process.env.GATEHOUSE_COVERAGE_FILE;
// The last test waits until every file that began has ended.
export function recordRun() {
  if (!coverageFile) return;
  appendFileSync(coverageFile, `${JSON.stringify({ begun: process.pid })}\n`);
  process.on("exit", () => appendFileSync(coverageFile, `${JSON.stringify({ ended: process.pid })}\n`));
}

const seen = new Set();
function record(entry) {
  const line = JSON.stringify(entry);
  if (seen.has(line)) return;
  seen.add(line);
  if (coverageFile) appendFileSync(coverageFile, `${line}\n`);
}

function* fieldsOf(value, path = "") {
  if (Array.isArray(value)) for (const item of value) yield* fieldsOf(item, `${path}[]`);
  else if (value !== null && typeof value === "object")
    for (const [name, item] of Object.entries(value)) {
      yield `${path}.${name}`;
      yield* fieldsOf(item, `${path}.${name}`);
    }
}

function checkHeaders(response, place, headers, where) {
  for (const [name, reference] of Object.entries(response.headers ?? {})) {
    const header = resolve(reference, `${place}/headers/${escapePointer(name)}`);
    const found = headers[name.toLowerCase()];
    const value = Array.isArray(found) ? found.join(", ") : found;
    if (value === undefined) {
      assert.ok(!header.node.required, `${where}: the header ${name} is missing`);
      continue;
    }
    const validate = ajv.getSchema(`openapi${header.place}/schema`);
    assert.ok(validate(value), `${where}: header ${name}: ${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`);
  }
  assert.ok(response.headers?.["Set-Cookie"] || !headers["set-cookie"], `${where}: a cookie that nobody announced`);
}

function checkBody(response, place, answer, where) {
  if (!response.content) {
    assert.equal(answer.text, "", `${where}: there must be no body`);
    return null;
  }
  const type = (answer.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  assert.ok(response.content[type], `${where}: content type ${JSON.stringify(type)} is not among ${Object.keys(response.content)}`);
  if (type !== "application/json") return null;
  let body;
  assert.doesNotThrow(() => (body = JSON.parse(answer.text)), `${where}: not JSON: ${answer.text.slice(0, 500)}`);
  const media = resolve(response.content[type].schema, `${place}/content/${escapePointer(type)}/schema`);
  const validate = ajv.getSchema(`openapi${media.place}`);
  assert.ok(validate(body), `${where}: ${ajv.errorsText(validate.errors, { separator: "\n  " })}\n${answer.text.slice(0, 2000)}`);
  return body;
}

// Asserts that the answer is one that the document allows; gives its parsed JSON body (null when it has none).
export function checkAnswer(method, path, answer) {
  const template = findTemplate(path);
  const isAny = template && document.paths[template]["x-any-method-and-rest"];
  const verb = method === "HEAD" || isAny ? "get" : method.toLowerCase(); // HEAD is GET without the body
  const operation = template && document.paths[template][verb];
  const name = `${isAny ? "GET" : method} ${template ?? "(no such path)"}`;
  const where = `${method} ${path} → ${answer.status}`;
  const own = operation?.responses?.[answer.status];
  const everywhere = document["x-everywhere"][answer.status];
  assert.ok(own ?? everywhere, `${where}: the document does not list this status; body ${answer.text.slice(0, 1000)}`);
  const place = own
    ? pointer("paths", template, verb, "responses", String(answer.status))
    : pointer("x-everywhere", String(answer.status));
  const response = resolve(own ?? everywhere, place);
  checkHeaders(response.node, response.place, answer.headers, where);
  if (method === "HEAD") assert.equal(answer.text, "", `${where}: HEAD has no body`);
  const body = method === "HEAD" ? null : checkBody(response.node, response.place, answer, where);
  if (answer.status >= 400 && body?.request_id !== undefined)
    assert.equal(body.request_id, answer.headers["x-request-id"], `${where}: request_id is not that of the header`);
  record({ operation: name, status: answer.status });
  if (body?.code && answer.status >= 400) record({ code: body.code });
  for (const field of new Set(fieldsOf(body))) record({ operation: name, status: answer.status, field });
  return body;
}

// Whether a value fits a schema of components, for bodies that come from elsewhere.
export function checkSchema(schema, value) {
  const validate = ajv.getSchema(`openapi#/components/schemas/${schema}`);
  assert.ok(validate(value), `${schema}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
}

// Every field that a schema names, as paths like those that are recorded.
export function* documentedFields(schema, path = "", depth = 0) {
  const { node } = resolve(schema, "");
  if (depth > 12) return;
  if (node.$ref) yield* documentedFields({ $ref: node.$ref }, path, depth + 1);
  for (const part of [...(node.allOf ?? []), ...(node.oneOf ?? []), ...(node.anyOf ?? [])])
    yield* documentedFields(part, path, depth + 1);
  if (node.items) yield* documentedFields(node.items, `${path}[]`, depth + 1);
  for (const [name, property] of Object.entries(node.properties ?? {})) {
    yield `${path}.${name}`;
    yield* documentedFields(property, `${path}.${name}`, depth + 1);
  }
}
