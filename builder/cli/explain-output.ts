import type { Rule } from "../checks/rule.ts";
import { rules } from "../checks/rules.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { Call } from "./call-flags.ts";
import type { CliIo } from "./cli-io.ts";
import { formatJson } from "./format-flag.ts";
import { wrap } from "./help.ts";
import { UsageError } from "./usage-error.ts";

const columns = 80;

/** Prints the pages of these rules, in the order asked for; of all where none is named. Throws UsageError for a rule that does not exist. */
export function printExplanations(names: readonly string[], format: Call["format"], io: Pick<CliIo, "stdout">): void {
  const all = rules();
  const wanted = names.length === 0 ? all : names.map((name) => ruleOf(name, all));
  if (format === "json") {
    const pages = wanted.map(({ name, description, experimental = false, page }) => ({ name, description, experimental, ...page }));
    io.stdout.write(formatJson(pages));
  } else io.stdout.write(wanted.map(pageText).join("\n"));
}

function ruleOf(name: string, all: readonly Rule[]): Rule {
  const found = all.find((rule) => rule.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  const names = all.map((rule) => rule.name);
  const near = nearest(name, names);
  throw new UsageError("INVALID_VALUE", `reading --explain: there is no rule "${name}"`, {
    hint: near === undefined ? `the rules are ${names.join(", ")}` : `did you mean ${near}?`,
  });
}

function pageText({ name, description, experimental, page }: Rule): string {
  const off = experimental ? ["", ...wrap(`Experimental: off unless "# check=experimental=${name}" asks for it.`, columns)] : [];
  const code = (text: string): string[] => text.split("\n").map((line) => (line === "" ? "" : `    ${line}`));
  const lines = [name, ...wrap(description, columns), "", ...wrap(page.why, columns), ...off];
  return `${[...lines, "", "Bad:", ...code(page.bad), "", "Good:", ...code(page.good)].join("\n")}\n`;
}
