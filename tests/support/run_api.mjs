// SPDX-License-Identifier: Apache-2.0
// Runs the API tests: one PostgreSQL cluster for all of them, two files at a time, and the coverage of the document at
// the end. Arguments name test files; without any, all run. Needs GATEHOUSE_BIN and GATEHOUSE_PROVIDER.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster } from "./postgres.mjs";

const LAST = "zz_openapi_coverage.test.mjs";
const directory = fileURLToPath(new URL("../api/", import.meta.url));
const all = readdirSync(directory).filter((name) => name.endsWith(".test.mjs") && name !== LAST).map((name) => join(directory, name));
const named = process.argv.slice(2);

for (const variable of ["GATEHOUSE_BIN", "GATEHOUSE_PROVIDER"])
  if (!process.env[variable]) {
    console.error(`${variable} is not set; it names the program under test`);
    process.exit(2);
  }

// With GATEHOUSE_TEST_FAILURES the failed tests of the first run that has some stand in that file as well.
const failures = process.env.GATEHOUSE_TEST_FAILURES;
const failuresReporter = fileURLToPath(new URL("failures_reporter.mjs", import.meta.url));
const withFailures = failures ? [`--test-reporter=${failuresReporter}`, `--test-reporter-destination=${failures}`] : [];

function runTests(files, environment, failuresOptions) {
  const reporter = process.env.GATEHOUSE_TEST_REPORTER ?? (process.stdout.isTTY ? "spec" : "tap");
  const options = ["--test", "--test-concurrency=2", "--test-timeout=180000", `--test-reporter=${reporter}`];
  options.push("--test-reporter-destination=stdout", ...failuresOptions);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...options, ...files], { stdio: "inherit", env: { ...process.env, ...environment } });
    child.on("close", (code) => resolve(code ?? 1));
  });
}

const cluster = await Cluster.start();
const work = mkdtempSync(join(tmpdir(), "ghcov-"));
const environment = { GATEHOUSE_TEST_PG: cluster.socketDirectory, GATEHOUSE_COVERAGE_FILE: join(work, "seen.jsonl") };
let failed = await runTests(named.length > 0 ? named : all, environment, withFailures);
if (named.length === 0) failed = await runTests([join(directory, LAST)], environment, failed ? [] : withFailures) || failed;
await cluster.stop();
rmSync(work, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
