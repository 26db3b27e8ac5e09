import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { isCommandName, summaries } from "../builder/cli/command-names.ts";
import { loaders } from "../builder/cli/commands.ts";
import { type CommandSpec, parseFlags } from "../builder/cli/flags.ts";
import { UsageError } from "../builder/cli/usage-error.ts";
import { CHECKOUT } from "./support/cli.ts";
import { type CommandLine, commandLines } from "./support/command-lines.ts";
import { anchorsOf, codeOf, linksOf } from "./support/markdown.ts";
import { page } from "./support/pages.ts";

const docs = readdirSync(join(CHECKOUT, "docs")).map((name) => `docs/${name}`);
const pages = ["README.md", "CHANGELOG.md", ".github/SECURITY.md", ".github/CONTRIBUTING.md", ...docs];

const specs = new Map<string, CommandSpec>();
for (const name of Object.keys(summaries)) if (isCommandName(name)) specs.set(name, (await loaders[name]()).spec);
const declared = new Set([
  "help",
  ...[...specs.values()].flatMap(({ flags }) => Object.entries(flags).flatMap(([name, { alias }]) => [name, alias])),
]);

/** Flags that the pages name and that are no command's: of instructions, of other programs, and those that are said not to be there. */
const others = new Set([
  ...["chmod", "checksum", "chown", "exclude", "from", "link", "parents", "security"],
  ...["config", "map-auto", "map-root-user", "no-system-packages", "scope"],
  ...["device", "privileged"],
]);

/** What the program would say to a call: its command is none, or has no such flag. `verify --rebuild` names a flag, without its value. */
function problemsOf({ line, command, argv }: CommandLine): string[] {
  const spec = specs.get(command);
  if (spec === undefined) return [`line ${line}: there is no command ${command}`];
  try {
    parseFlags(spec, argv);
    return [];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.code === "MISSING_VALUE" ? [] : [`line ${line}: ${error.message}`];
  }
}

describe.each(pages)("%s", (name) => {
  const text = page(name);

  it("has links that lead somewhere", () => {
    const broken = linksOf(text).filter(({ target }) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? name : normalize(join(dirname(name), path));
      if (!existsSync(join(CHECKOUT, file))) return true;
      return anchor !== undefined && !anchorsOf(page(file)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names flags that there are", () => {
    const flags = codeOf(text).flatMap(({ line, text }) =>
      [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, flag = ""]) => ({ line, flag })),
    );
    expect(flags.filter(({ flag }) => !declared.has(flag) && !others.has(flag))).toEqual([]);
  });

  it("has command lines that can be read", () => {
    expect(commandLines(codeOf(text)).flatMap(problemsOf)).toEqual([]);
  });
});

describe("the documentation", () => {
  it("is named by the README, every page of it", () => {
    const linked = linksOf(page("README.md")).map(({ target }) => target);
    expect(docs.filter((name) => !linked.includes(name))).toEqual([]);
  });

  it("names every command in the README's table", () => {
    const rows = page("README.md")
      .split("\n")
      .filter((line) => line.startsWith("| "));
    const named = rows.flatMap((row) => [...(row.split(" | ")[0] ?? "").matchAll(/`\[?([a-z-]+)/g)].map(([, word]) => word));
    expect(Object.keys(summaries).filter((name) => !named.includes(name))).toEqual([]);
  });
});
