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

/** Flags that the pages name and that are no command's: of instructions, of other programs, and those that are said not to be there. */
const others = [
  ...["chmod", "checksum", "chown", "exclude", "from", "link", "parents", "security"],
  ...["config", "map-auto", "map-root-user", "no-system-packages", "scope"],
  ...["device", "privileged"],
];
const ours = [...specs.values()].flatMap(({ flags }) => Object.entries(flags).flatMap(([name, { alias }]) => [name, alias]));
const known = new Set(["help", ...ours, ...others]);

/** Links of a page that lead to no file, or to no heading of one. */
function brokenLinks(name: string, text: string): string[] {
  return linksOf(text).flatMap(({ line, target }) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? name : normalize(join(dirname(name), path));
    const there = existsSync(join(CHECKOUT, file)) && (anchor === undefined || anchorsOf(page(file)).includes(anchor));
    return there ? [] : [`line ${line}: ${target}`];
  });
}

function unknownFlags(text: string): string[] {
  return codeOf(text).flatMap(({ line, text: code }) =>
    [...code.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)]
      .filter(([, flag = ""]) => !known.has(flag))
      .map(([flag]) => `line ${line}: there is no flag ${flag}`),
  );
}

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
    expect(brokenLinks(name, text)).toEqual([]);
  });

  it("names flags that there are", () => {
    expect(unknownFlags(text)).toEqual([]);
  });

  it("has command lines that the program reads", () => {
    expect(commandLines(codeOf(text)).flatMap(problemsOf)).toEqual([]);
  });
});

describe("the documentation", () => {
  it("is linked to by the README, every page of it", () => {
    const linked = linksOf(page("README.md")).map(({ target }) => target);
    expect(docs.filter((name) => !linked.includes(name))).toEqual([]);
  });

  it("has every command in the README's table", () => {
    const cells = page("README.md")
      .split("\n")
      .flatMap((line) => /^\| (.+?) \| /.exec(line)?.[1] ?? []);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`\[?([a-z-]+)/g)].map(([, word]) => word));
    expect(Object.keys(summaries).filter((name) => !named.includes(name))).toEqual([]);
  });

  it("needs no exception that it does not use", () => {
    const used = pages.flatMap((name) => codeOf(page(name)).flatMap(({ text }) => text.match(/--[a-z][a-z-]*/g) ?? []));
    expect(others.filter((flag) => !used.includes(`--${flag}`))).toEqual([]);
  });
});

describe("what looks at a page", () => {
  it.each<[name: string, text: string, expected: string[]]>([
    ["a file that is not there", "\n[a](docs/gone.md)", ["line 2: docs/gone.md"]],
    ["a heading that is not there", "[a](docs/store.md#gone) [b](#gone)", ["line 1: docs/store.md#gone", "line 1: #gone"]],
    ["links that lead somewhere", "[`a`](docs/store.md#memory) [b](docs) [c](#tests)", []],
    ["addresses of the web, and text in code", "[a](https://example.org/x#y) `[a](gone)`\n```\n[a](gone)\n```", []],
  ])("finds links: %s", (_name, text, expected) => {
    expect(brokenLinks("README.md", text)).toEqual(expected);
  });

  it("knows the anchors of headings", () => {
    expect(anchorsOf("# A, b\n## It's `--c`\n## A b\n```\n# no\n```\n## x_y")).toEqual(["a-b", "its---c", "a-b-1", "x_y"]);
  });

  it.each<[name: string, text: string, expected: string[]]>([
    ["one that is none", "`--gone` `--tag` `prune --al`", ["line 1: there is no flag --gone", "line 1: there is no flag --al"]],
    ["in a table", "| `--load\\|--nope` |", ["line 1: there is no flag --nope"]],
    ["text, and other languages", "a --gone\n```dockerfile\nRUN --gone\n```", []],
  ])("finds flags: %s", (_name, text, expected) => {
    expect(unknownFlags(text)).toEqual(expected);
  });

  it.each<[name: string, text: string, expected: string[]]>([
    ["a command that is none", "```\ntsbuild prun --all\n```", ["line 2: there is no command prun"]],
    ["another command's flag", "`df --squash`", ["line 1: reading the command line: df has no flag --squash"]],
    ["a flag of the default command", "`tsbuild --squish .`", ["line 1: reading the command line: build has no flag --squish"]],
    ["behind a pipe", "```\ncat x | tsbuild load --nope | cat --nope\n```", ["line 2: reading the command line: load has no flag --nope"]],
    ["what is right", "`tsbuild COMMAND --help` `verify --rebuild` `tsbuild run app ls --color`\n```\na # tsbuild on the path\n```", []],
  ])("finds command lines: %s", (_name, text, expected) => {
    expect(commandLines(codeOf(text)).flatMap(problemsOf)).toEqual(expected);
  });
});
