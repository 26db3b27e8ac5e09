import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytesOf, openPatterns, type PatternSet } from "../../runtime-addon/index.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const pattern = (text: string, breaks = "", id = text) => ({ bytes: Buffer.from(text), breaks, id });
const ranges = (set: PatternSet<ReturnType<typeof pattern>>, text: string, last = true) => {
  const { end, matches } = set.find(Buffer.from(text), last);
  return { end, matches: matches.map((match) => `${match.begin}-${match.end} ${match.pattern.id}`) };
};

describe("patterns in a text", () => {
  const wrapped = openPatterns([pattern("abcdefgh", "\r\n ")]);

  it.each<[string, string, string[]]>([
    ["breaks anywhere, from the first byte on", "xa\nb\r\nc d\n efghx", ["1-15 abcdefgh"]],
    ["three breaks in a row", "abcd\r\n efgh", ["0-11 abcdefgh"]],
    ["four breaks in a row", "abcd\r\n\r\nefgh", []],
    ["four breaks in a row at once", "a\r\n\r\nbcdefgh", []],
    ["a break before it", "\nabcdefgh", ["1-9 abcdefgh"]],
    ["another byte in it", "abcd\tefgh", []],
  ])("with %s", (_name, text, found) => {
    expect(ranges(wrapped, text).matches).toEqual(found);
  });

  it("are not held for breaks that do not end", () => {
    expect(ranges(wrapped, `abcdef${"\n".repeat(3)}`, false).end).toBe(0);
    expect(ranges(wrapped, `abcdef${"\n".repeat(4)}`, false).end).toBe(10);
    expect(ranges(wrapped, `a${"\n".repeat(4)}`, false).end).toBe(5);
  });

  it("may overlap, but for those of one id within one another", () => {
    const two = openPatterns([pattern("tokenPREFIX99"), pattern("PREFIX99-rest"), pattern("oken", "", "tokenPREFIX99")]);
    expect(ranges(two, "tokenPREFIX99-rest oken").matches).toEqual(["0-13 tokenPREFIX99", "5-18 PREFIX99-rest", "19-23 tokenPREFIX99"]);
    expect(ranges(two, "tokenPREFIX99-r", false)).toEqual({ end: 5, matches: ["0-13 tokenPREFIX99"] });
  });
});

describe("patterns in a file", () => {
  it("are limited each by its own number: one that comes often hides no other, cut anywhere", async () => {
    const set = openPatterns([pattern("first-secret"), pattern("other-secret")]);
    const path = join(temporaryDirectory("patterns"), "file");
    const edge = 1024 * 1024;
    writeFileSync(path, `${"first-secret\n".repeat(200).padEnd(edge - 5, ".")}other-secret`);
    const found = await set.searchFile(path, 100);
    expect(found.filter(({ pattern: { id } }) => id === "first-secret")).toHaveLength(100);
    expect(found.filter(({ pattern: { id } }) => id === "other-secret")).toEqual([
      { begin: edge - 5, end: edge + 7, pattern: pattern("other-secret") },
    ]);
  });
});

describe("patterns in the files of a directory", () => {
  const set = openPatterns([pattern("first-secret"), pattern("other-secret")]);

  it("are found in each file once, cut anywhere, and without following links", async () => {
    const root = temporaryDirectory("patterns");
    mkdirSync(join(root, "d"));
    const edge = 256 * 1024;
    writeFileSync(join(root, "d/large"), `${"first-secret ".repeat(3).padEnd(edge - 5, ".")}other-secret`);
    writeFileSync(join(root, "empty"), "");
    writeFileSync(join(root, "small"), "other-secret");
    symlinkSync("small", join(root, "link"));
    symlinkSync("d", join(root, "linked"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    const paths = ["d/large", "empty", "fifo", "gone", "link", "linked/large", "small"].map(bytesOf);
    const found = await set.searchFiles(root, paths);
    expect(found.map(({ path, pattern: { id } }) => `${path} ${id}`)).toEqual([
      "d/large first-secret",
      "d/large other-secret",
      "small other-secret",
    ]);
  });

  it("are not looked for outside of it", async () => {
    const root = temporaryDirectory("patterns");
    await expect(set.searchFiles(root, [bytesOf("../x")])).rejects.toMatchObject({ code: "EINVAL" });
    await expect(set.searchFiles(join(root, "missing"), [bytesOf("x")])).rejects.toMatchObject({ code: "ENOENT" });
    expect(await set.searchFiles(root, [])).toEqual([]);
  });
});
