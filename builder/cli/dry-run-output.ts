import type { DryRun, DryRunStep } from "../dry-run.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { FlagTable } from "./flags.ts";
import { formatJson } from "./format-flag.ts";
import { formatTable } from "./table.ts";

/** Of the build; --format of the check serves this too. */
export const dryRunFlags = {
  "dry-run": { help: "Say which steps are cached and which would run, and do nothing (--format json)" },
} as const satisfies FlagTable;

/**
 * A dry run as printed. As JSON:
 *
 *     { "steps":   [{ "id", "stage"?, "title", "line", "endLine", "instruction", "operation": "from"|"run"|"copy"|"workdir", "needs": [id…],
 *                     "status": "base"|"cached"|"runs"|"unknown", "reason"?: "no-record"|"no-cache"|"steps"|"layers", "awaits": [id…] }],
 *       "summary": { "cached", "runs", "unknown" },
 *       "images":  [{ "name", "platform", "digest", "missingLayers", "missingBytes" }],
 *       "git":     [{ "remote", "ref", "commit" }],
 *       "http":    [{ "url", "digest" }] }
 *
 * with the meaning that DryRunStep and DryRun give the fields; lines count from 1.
 */
export function formatDryRun(dryRun: DryRun, format: "table" | "json"): string {
  return format === "json" ? formatJson(asJson(dryRun)) : asText(dryRun);
}

function asJson({ steps, images, git, http }: DryRun): unknown {
  const shown = steps.map(({ range, ...step }) => ({ ...step, line: range.start.line, endLine: range.end.line }));
  return { steps: shown, summary: countOf(steps), images, git, http };
}

function asText({ steps, images, git, http }: DryRun): string {
  const parts = [
    table(
      ["STEP", "STATUS", "INSTRUCTION", "NOTE"],
      steps.map((step) => [`#${step.id}`, step.status, step.title, reasonOf(step)]),
    ),
    table(
      ["IMAGE", "PLATFORM", "DIGEST", "NOT IN THE STORE"],
      images.map(({ name, platform, digest, missingLayers, missingBytes }) => [
        name,
        platform,
        digest,
        missingLayers === 0 ? "" : `${counted(missingLayers, "layer")}, ${formatBytes(missingBytes)}`,
      ]),
    ),
    table(
      ["REPOSITORY", "REF", "COMMIT"],
      git.map(({ remote, ref, commit }) => [remote, ref, commit]),
    ),
    table(
      ["FILE", "DIGEST"],
      http.map(({ url, digest }) => [url, digest]),
    ),
    summaryOf(steps),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cleaned = rows.map((row) => row.map((cell) => harmless(cell, { colors: false })));
  return rows.length === 0 ? "" : formatTable(header, cleaned);
}

function reasonOf({ reason, awaits }: DryRunStep): string {
  if (reason === "no-record") return "no record of this step";
  if (reason === "no-cache") return "records are not used (--no-cache)";
  if (reason === "layers") return "depends on layers that are not in the store";
  return reason === undefined ? "" : `depends on step${awaits.length === 1 ? "" : "s"} ${listOf(awaits)}`;
}

/** A few name the reason; behind them come the steps in between. */
function listOf(ids: readonly number[]): string {
  const named = ids.slice(0, 3).join(", ");
  return ids.length > 3 ? `${named} and ${ids.length - 3} more` : named;
}

function countOf(steps: readonly DryRunStep[]) {
  const count = (status: DryRunStep["status"]): number => steps.filter((step) => step.status === status).length;
  return { cached: count("cached"), runs: count("runs"), unknown: count("unknown") };
}

/** What runs may come to what was there before: then a build goes on with the records. */
function summaryOf(steps: readonly DryRunStep[]): string {
  const { cached, runs, unknown } = countOf(steps);
  const unread = steps.filter(({ reason }) => reason === "layers").length;
  const parts = [
    `${cached} cached`,
    `${runs} ${runs === 1 ? "runs" : "run"}`,
    ...(unread === 0 ? [] : [`${unread} not known without fetching layers`]),
    ...(unknown === unread
      ? []
      : [`${unknown - unread} ${unknown - unread === 1 ? "depends" : "depend"} on what those come to, and may be cached`]),
  ];
  return `${parts.join(", ")}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
