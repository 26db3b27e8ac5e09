import { describe, expect, it } from "vitest";
import { directoryContext } from "../../../builder/context/directory.ts";
import { parseIgnoreFile } from "../../../builder/context/ignore.ts";
import type { SourceNode } from "../../../builder/steps/copy-source.ts";
import { findInRootfs, toHashable } from "../../../builder/steps/rootfs-source.ts";
import { type ByteString, textOf } from "../../../runtime-addon/index.ts";
import { directoryEntry, fileEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { dir, file, makeTree, symlink, type Wanted } from "../../support/tree.ts";
import { handmadeRootfs } from "./trees.ts";

const wanted: Readonly<Record<string, Wanted>> = {
  "a/b/c/d/e/bay": file("1"),
  "a/b/c/d/foo": file("2"),
  "a/b/c2/d/e/baz": file("3"),
  "a/b/c2/d/e2/baz": file("4"),
  "a/b2/c/d/e/bar": file("5"),
  "a/empty": dir(),
  "docs/x.md": file("6"),
  "docs/x.txt": file("7"),
  "docs/sub/y.md": file("8"),
  "docs/sub/y.txt": file("9"),
  "docs/only/z.md": file("10"),
  "hom.md": file("11"),
  "hom.txt": file("12"),
  "home/h.txt": file("13"),
  "to-docs": symlink("docs"),
  "star*name/f": file("14"),
};

const context = temporaryDirectory("context");
await makeTree(context, wanted);

/** The same files as a stage has them. */
const rootfs = handmadeRootfs(
  Object.entries(wanted)
    .flatMap(([path, entry]) => {
      const above = path.split("/").map((_, i, parts) => directoryEntry(parts.slice(0, i).join("/")));
      if (entry.kind === "symlink") return [...above, symlinkEntry(path, entry.target)];
      return [...above, entry.kind === "file" ? fileEntry(path, String(entry.content)) : directoryEntry(path)];
    })
    .filter(({ path }, i, all) => path !== "" && all.findIndex((other) => other.path === path) === i),
);

/** "name: paths", a directory that only leads in brackets. */
function shown(name: ByteString, nodes: readonly SourceNode[]): string {
  const paths = nodes.map(({ path, kind, leads }) => (path === "" ? `(${kind})` : leads ? `[${path}]` : path));
  return [`${textOf(name)}:`, ...paths.sort()].join(" ");
}

interface Flags {
  readonly parents?: boolean;
  readonly exclude?: readonly string[];
}

async function inContext(source: string, { parents = false, exclude = [] }: Flags, ignore?: string): Promise<string[]> {
  const rules = ignore === undefined ? undefined : parseIgnoreFile(ignore);
  const found = await directoryContext(context, rules).find(source, { parents, exclude });
  return found.map((one) => shown(one.name, one.list().nodes));
}

function inStage(source: string, { parents = false, exclude = [] }: Flags): string[] {
  return findInRootfs(rootfs, source, "stage", { parents, exclude }).map((one) => {
    const { name, nodes } = toHashable(rootfs, one).source;
    return shown(name, nodes);
  });
}

type Row = [name: string, source: string, flags: Flags, expected: string[]];

async function expectBoth(source: string, flags: Flags, expected: readonly string[]): Promise<void> {
  expect(await inContext(source, flags)).toEqual(expected);
  expect(inStage(source, flags)).toEqual(expected);
}

describe("--parents keeps the directories above", () => {
  const parents = { parents: true };

  it.each<Row>([
    ["a file", "docs/sub/y.md", parents, [": (directory) [docs/sub] [docs] docs/sub/y.md"]],
    ["a directory with all that is in it", "docs/sub", parents, [": (directory) [docs] docs/sub docs/sub/y.md docs/sub/y.txt"]],
    ["an empty directory", "a/empty", parents, [": (directory) [a] a/empty"]],
    ["a file of the root, with none", "hom.md", parents, [": (directory) hom.md"]],
    ["with dots and doubled slashes in its path", "./docs//sub/y.md", parents, [": (directory) [docs/sub] [docs] docs/sub/y.md"]],
    ["from a pivot on", "a/b/./c/d", parents, [": (directory) [c] c/d c/d/e c/d/e/bay c/d/foo"]],
    ["from the first of two pivots on", "a/./b/./c", parents, [": (directory) [b] b/c b/c/d b/c/d/e b/c/d/e/bay b/c/d/foo"]],
    [
      "with a dot at the end, which is no pivot",
      "a/b/c/d/.",
      parents,
      [": (directory) [a/b/c] [a/b] [a] a/b/c/d a/b/c/d/e a/b/c/d/e/bay a/b/c/d/foo"],
    ],
    ["from a pivot at the very end: all that is in it", "a/b/c/./", parents, [": (directory) d d/e d/e/bay d/foo"]],
    [
      "of everything",
      "",
      parents,
      [
        ": (directory) a a/b a/b/c a/b/c/d a/b/c/d/e a/b/c/d/e/bay a/b/c/d/foo a/b/c2 a/b/c2/d a/b/c2/d/e a/b/c2/d/e/baz a/b/c2/d/e2 a/b/c2/d/e2/baz a/b2 a/b2/c a/b2/c/d a/b2/c/d/e a/b2/c/d/e/bar a/empty docs docs/only docs/only/z.md docs/sub docs/sub/y.md docs/sub/y.txt docs/x.md docs/x.txt hom.md hom.txt home home/h.txt star*name star*name/f to-docs",
      ],
    ],
    ["of what a star matches in one name", "docs/*.md", parents, [": (directory) [docs] docs/x.md"]],
    [
      "of what two stars match at any depth",
      "**/*.md",
      parents,
      [": (directory) [docs/only] [docs/sub] [docs] docs/only/z.md docs/sub/y.md docs/x.md hom.md"],
    ],
    [
      "of what two stars match in the middle",
      "a/**/baz",
      parents,
      [": (directory) [a/b/c2/d/e2] [a/b/c2/d/e] [a/b/c2/d] [a/b/c2] [a/b] [a] a/b/c2/d/e/baz a/b/c2/d/e2/baz"],
    ],
    [
      "of a star behind the pivot",
      "a/./*/c",
      parents,
      [": (directory) [b2] [b] b/c b/c/d b/c/d/e b/c/d/e/bay b/c/d/foo b2/c b2/c/d b2/c/d/e b2/c/d/e/bar"],
    ],
    [
      "of a star before the pivot: each is a root of its own",
      "a/b*/./c/**/e",
      parents,
      [": (directory) [c/d] [c] c/d/e c/d/e/bay", ": (directory) [c/d] [c] c/d/e c/d/e/bar"],
    ],
    ["of stars on both sides", "a/b/c*/./d/**/baz", parents, [": (directory)", ": (directory) [d/e2] [d/e] [d] d/e/baz d/e2/baz"]],
    ["of nothing where a wildcard matches nothing", "a/b3*/c", parents, [": (directory)"]],
    ["of nothing behind a pivot", "a/b/./c3*", parents, [": (directory)"]],
    ["and finds no root for a wildcard before the pivot that matches nothing", "z*/./c", parents, []],
    ["of a symlink, which stays one", "to-docs", parents, [": (directory) to-docs"]],
    ["of nothing through a symlink, by wildcard", "to-*/x.md", parents, [": (directory)"]],
    ["behind a symlink before the pivot, which is followed", "to-docs/./sub/y.md", parents, [": (directory) [sub] sub/y.md"]],
    ["of a name with an escaped star", "star\\*name/f", parents, [": (directory) [star*name] star*name/f"]],
  ])("%s", async (_name, source, flags, expected) => {
    await expectBoth(source, flags, expected);
  });

  it.each<[name: string, source: string, problem: string, hint?: string]>([
    ["a path that is not there", "docs/nope", "no such file or directory"],
    ["a directory before the pivot that is not there", "absent/./x", "no such file or directory"],
    ["that directory before a wildcard too", "absent/./x*", "no such file or directory"],
    ["a path behind the pivot that is not there", "docs/./nope", "no such file or directory"],
    ["a file before the pivot", "hom.md/./x", "it is not a directory"],
    ["a path below a file", "hom.md/x", "no such file or directory"],
    [
      "a path through a symlink",
      "to-docs/x.md",
      "a symlink leads there, which --parents does not follow",
      "name what the symlink leads to",
    ],
  ])("fails for %s", async (_name, source, problem, hint) => {
    const failure = (where: string) =>
      expect.objectContaining({ code: "COPY_SOURCE_NOT_FOUND", message: `looking for ${where}: ${problem}`, hint });
    await expect(inContext(source, parents)).rejects.toEqual(failure(`"${source}" in the build context ${context}`));
    expect(() => inStage(source, parents)).toThrow(failure(`"/${source}" in stage`));
  });

  it.each<[name: string, source: string, ignore: string, expected: string[]]>([
    ["leaves out what the ignore file does", "**/*.md", "docs/sub\n**/x.md", [": (directory) [docs/only] [docs] docs/only/z.md hom.md"]],
    ["finds what it puts back", "docs/**", "docs\n!docs/sub/y.txt", [": (directory) [docs] docs/sub docs/sub/y.txt"]],
  ])("%s", async (_name, source, ignore, expected) => {
    expect(await inContext(source, parents, ignore)).toEqual(expected);
  });

  it("finds nothing through a link that is ignored", async () => {
    await expect(inContext("to-docs/./x.md", parents, "to-docs")).rejects.toMatchObject({
      message: `looking for "to-docs/./x.md" in the build context ${context}: excluded by .dockerignore:1: to-docs`,
    });
    expect(await inContext("to-*/./x.md", parents, "to-docs")).toEqual([]);
    expect(await inContext("to-docs/./x.*", parents, "docs")).toEqual([": (directory)"]);
  });

  it("says which rule excludes a path that is named", async () => {
    await expect(inContext("docs/./x.md", parents, "# no\n**/*.md")).rejects.toMatchObject({
      message: `looking for "docs/./x.md" in the build context ${context}: excluded by .dockerignore:2: **/*.md`,
    });
  });
});

describe("--exclude", () => {
  const exclude = (...patterns: string[]): Flags => ({ exclude: patterns });

  it.each<Row>([
    [
      "is relative to the directory that is copied",
      "docs",
      exclude("*.md"),
      ["docs: (directory) only only/z.md sub sub/y.md sub/y.txt x.txt"],
    ],
    ["reaches any depth with two stars", "docs", exclude("**/*.md"), ["docs: (directory) only sub sub/y.txt x.txt"]],
    ["leaves directories that have become empty", "docs", exclude("only/*"), ["docs: (directory) only sub sub/y.md sub/y.txt x.md x.txt"]],
    ["takes a directory with all that is in it", "docs", exclude("sub"), ["docs: (directory) only only/z.md x.md x.txt"]],
    ["takes what several patterns match", "docs", exclude("sub", "only", "x.*"), ["docs: (directory)"]],
    ["is not relative to the root", "docs", exclude("docs/x.md"), ["docs: (directory) only only/z.md sub sub/y.md sub/y.txt x.md x.txt"]],
    [
      "puts back what ! matches, with the directory that leads there",
      "docs",
      exclude("sub", "!sub/y.md"),
      ["docs: (directory) [sub] only only/z.md sub/y.md x.md x.txt"],
    ],
    ["puts nothing back that a later pattern takes", "docs", exclude("*", "!x.md", "x.*"), ["docs: (directory)"]],
    ["takes everything but", "docs", exclude("**", "!**/*.txt"), ["docs: (directory) [sub] sub/y.txt x.txt"]],
    ["is trimmed and cleaned", "docs", exclude(" ./sub/ ", "", "  "), ["docs: (directory) only only/z.md x.md x.txt"]],
    [
      "matches nothing with a leading slash",
      "docs",
      exclude("/sub", "/x.md"),
      ["docs: (directory) only only/z.md sub sub/y.md sub/y.txt x.md x.txt"],
    ],
    ["knows no comments", "docs", exclude("#sub"), ["docs: (directory) only only/z.md sub sub/y.md sub/y.txt x.md x.txt"]],
    ["takes files that a wildcard found, by their own name", "hom*", exclude("*.txt"), ["hom.md: (file)", "home: (directory)"]],
    ["takes files that a wildcard found below a directory, by their own name", "docs/x.*", exclude("*.md"), ["x.txt: (file)"]],
    ["takes no directory that a wildcard found, only what is in it", "home*", exclude("*"), ["home: (directory)"]],
    ["does not take a file that is named", "hom.md", exclude("*.md"), ["hom.md: (file)"]],
    [
      "is relative to the pivot's directory with --parents",
      "docs/./**/*.md",
      { parents: true, exclude: ["sub"] },
      [": (directory) [only] only/z.md x.md"],
    ],
    [
      "is relative to the root with --parents and no pivot",
      "docs",
      { parents: true, exclude: ["*.md", "docs/sub"] },
      [": (directory) docs docs/only docs/only/z.md docs/x.md docs/x.txt"],
    ],
    ["may leave nothing of a path that is named with --parents", "docs/x.md", { parents: true, exclude: ["**/*.md"] }, [": (directory)"]],
    [
      "puts nothing back that was not asked for",
      "docs/x.txt",
      { parents: true, exclude: ["!docs/x.md"] },
      [": (directory) [docs] docs/x.txt"],
    ],
  ])("%s", async (_name, source, flags, expected) => {
    await expectBoth(source, flags, expected);
  });

  it.each<[pattern: string, problem: string]>([
    ["[", 'reading the pattern "[": a "[" is not closed'],
    ["!", 'reading the pattern "!": a path must follow the exclamation mark'],
    ["a\\", 'reading the pattern "a\\": it ends in a backslash'],
  ])("%s is no pattern", async (pattern, message) => {
    const failure = expect.objectContaining({ code: "INVALID_PATTERN", message });
    await expect(inContext("docs", { exclude: [pattern] })).rejects.toEqual(failure);
    expect(() => inStage("docs", { exclude: [pattern] })).toThrow(failure);
  });

  it("together with an ignore file: both take out", async () => {
    expect(await inContext("docs", exclude("**/*.md", "!x.md"), "docs/sub\n!docs/sub/y.md")).toEqual(["docs: (directory) only x.md x.txt"]);
  });
});

describe("a walk", () => {
  it("does not enter what cannot be taken", async () => {
    const root = temporaryDirectory("context");
    await makeTree(root, { "a/f": file(), "node_modules/x/y": file(), "b/c/d": file(), "b/no/x": file() });
    const entered: string[] = [];
    const rules = parseIgnoreFile("node_modules");
    const watched = {
      ...rules,
      excludes(path: ByteString) {
        entered.push(path);
        return rules.excludes(path);
      },
    };
    await directoryContext(root, watched).find("b/c/*", { parents: true, exclude: [] });
    expect([...new Set(entered)].sort()).toEqual(["a", "b", "b/c", "b/c/d", "b/no", "node_modules"]);
  });
});
