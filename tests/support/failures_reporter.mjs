// SPDX-License-Identifier: Apache-2.0
// A reporter of node:test that writes nothing but what failed, each with its reason: the end of a long run, where
// somebody looks first.
const LINES_MAX = 40;

export default async function* failures(source) {
  for await (const { type, data } of source) {
    // A parent fails with its subtests and adds nothing.
    if (type !== "test:fail" || data.details.error?.failureType === "subtestsFailed") continue;
    const cause = data.details.error?.cause ?? data.details.error;
    const reason = String(cause?.stack ?? cause).split("\n").slice(0, LINES_MAX).join("\n    ");
    yield `  ${data.name} (${data.file}:${data.line})\n    ${reason}\n`;
  }
}
