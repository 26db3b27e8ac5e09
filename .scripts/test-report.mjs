import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";

const LINES = 40;
const COLUMNS = 400;

/**
 * Reads vitest's JSON report. A skip counts as failed unless the skipped test, or a group around it, declared in its `meta` what is missing
 * ("needs:NAME": { reason, missingInCi? }); with `ci` so does one that CI machines could do without. Tests that need one of `lacking` are
 * no part of the run. `lines` is what to print about skips; `failures` is one text for each test that failed: its name, then its errors.
 */
export function readTestReport(reportFile, { ci, lacking = [] }) {
  if (!existsSync(reportFile)) return { passed: 0, skipped: 0, lines: [], failures: ["the test run left no report"] };
  const report = JSON.parse(readFileSync(reportFile, "utf8"));
  const result = { passed: 0, skipped: 0, lines: [], failures: [] };
  const table = new Map();
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = relative(process.cwd(), name);
    // A file that cannot be loaded has no tests to count.
    if (status === "failed" && assertionResults.every((test) => test.status !== "failed")) {
      result.failures.push(failure(file, [message ?? ""]));
    }
    for (const test of assertionResults) {
      if (test.status === "passed") result.passed += 1;
      else if (test.status === "failed") result.failures.push(failure(`${file}: ${test.fullName}`, test.failureMessages ?? []));
      else countSkip(`${file}: ${test.fullName}`, declaredSkips(test.meta));
    }
  }

  function countSkip(title, skips) {
    if (skips.length === 0) {
      result.failures.push(`skipped without a declared reason: ${title}`);
      return;
    }
    if (skips.some(({ requirement }) => lacking.includes(requirement))) return;
    const fails = ci && !skips.some(({ missingInCi }) => missingInCi !== undefined);
    if (fails) result.failures.push(`must not be skipped in CI: ${title}`);
    else result.skipped += 1;
    for (const { requirement, reason, missingInCi } of skips) {
      const row = table.get(requirement) ?? { reason, missingInCi, tests: 0 };
      row.tests += 1;
      table.set(requirement, row);
    }
  }

  if (table.size > 0) result.lines.push("", "skipped for want of:");
  for (const [requirement, { reason, missingInCi, tests }] of [...table].sort()) {
    const inCi = missingInCi === undefined ? "" : `; in CI too: ${missingInCi}`;
    result.lines.push(`  ${requirement.padEnd(16)} ${String(tests).padStart(4)} tests  ${reason}${inCi}`);
  }
  return result;
}

/** A test's name and its errors, the middle of long ones left out: whoever has only the end of a log learns from it what failed. */
function failure(title, messages) {
  const lines = messages.flatMap((message) => message.split("\n")).filter((line) => line.trim() !== "");
  const shown = lines.length <= LINES ? lines : [...lines.slice(0, LINES / 2), "[…]", ...lines.slice(-LINES / 2)];
  return [title, ...shown.map((line) => `    ${line.slice(0, COLUMNS)}`)].join("\n");
}

function declaredSkips(meta = {}) {
  return Object.entries(meta).flatMap(([key, skip]) =>
    key.startsWith("needs:") ? [{ requirement: key.slice("needs:".length), ...skip }] : [],
  );
}
