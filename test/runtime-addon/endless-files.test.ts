import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytesOf, openPatterns, openTarSink } from "../../runtime-addon/index.ts";
import { temporaryDirectory } from "../support/temporary.ts";

// A file may be as long as ftruncate(2) makes it, at no cost.

const TiB = 2 ** 40;

/** A file of this length with these texts in it, each a place and what is there. */
function sparse(root: string, name: string, length: number, texts: readonly (readonly [at: number, text: string])[] = []): string {
  const file = join(root, name);
  writeFileSync(file, "");
  truncateSync(file, length);
  const fd = openSync(file, "r+");
  for (const [at, text] of texts) writeSync(fd, text, at, "latin1");
  closeSync(fd);
  return file;
}

const pattern = (text: string) => ({ bytes: Buffer.from(text, "latin1"), breaks: "", id: text });

describe("attack: a file that is nearly all hole", () => {
  const length = 8 * TiB;
  it.each<[name: string, texts: readonly (readonly [number, string])[], isFound: boolean]>([
    ["behind the hole", [[length - 10, "abcdefgh"]], true],
    ["in its middle", [[4 * TiB + 5, "abcdefgh"]], true],
    ["over the end of a page", [[4 * TiB - 3, "abcdefgh"]], true],
    [
      "in two parts with a hole between them",
      [
        [0, "abcd"],
        [TiB, "efgh"],
      ],
      false,
    ],
    ["nowhere", [], false],
  ])("a pattern is looked for %s at once", async (_, texts, isFound) => {
    const root = temporaryDirectory("sparse");
    sparse(root, "file", length, texts);
    const found = await openPatterns([pattern("abcdefgh")]).searchFiles(root, [bytesOf("file")]);
    expect(found.map(({ path }) => path)).toEqual(isFound ? ["file"] : []);
  });

  it.each<[name: string, text: string, at: number, isFound: boolean]>([
    ["that ends with zeros", "abcd\0\0\0\0", 2 ** 30 - 4, true],
    ["that begins with zeros", "\0\0\0\0abcd", 2 ** 30, true],
    ["of zeros", "\0\0\0\0\0\0\0\0", 0, true],
  ])("a pattern %s reaches into it", async (_, text, at, isFound) => {
    const root = temporaryDirectory("sparse");
    sparse(root, "file", length, [[at, "abcd"]]);
    const found = await openPatterns([pattern(text)]).searchFiles(root, [bytesOf("file")]);
    expect(found).toHaveLength(isFound ? 1 : 0);
  });
});

describe("attack: work that has no end", () => {
  const reason = new Error("ended by the user");

  it("a search gives up when it is asked to", async () => {
    const file = sparse(temporaryDirectory("endless"), "file", 8 * TiB);
    const ending = new AbortController();
    const searching = openPatterns([pattern("abcdefgh")]).searchFile(file, 1, ending.signal);
    ending.abort(reason);
    await expect(searching).rejects.toBe(reason);
  });

  it("a search of many gives up when it is asked to", async () => {
    const root = temporaryDirectory("endless");
    mkdirSync(join(root, "d"));
    const names = Array.from({ length: 100_000 }, () => bytesOf("d/file"));
    sparse(root, "d/file", 2 ** 20);
    const ending = new AbortController();
    const searching = openPatterns([pattern("abcdefgh")]).searchFiles(root, names, ending.signal);
    ending.abort(reason);
    await expect(searching).rejects.toBe(reason);
  });

  it("a tar that is being written gives up when it is asked to, and can be removed", async () => {
    const root = temporaryDirectory("endless");
    sparse(root, "file", TiB);
    const sink = openTarSink(join(root, "tar"));
    const ending = new AbortController();
    const writing = sink.write([{ root, path: bytesOf("file"), size: TiB }], ending.signal);
    ending.abort(reason);
    await expect(writing).rejects.toBe(reason);
    await sink.abort();
  });
});
