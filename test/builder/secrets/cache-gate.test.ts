import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CacheGate, openCacheGate, type WritableCache } from "../../../builder/secrets/cache-gate.ts";
import { secretPatterns } from "../../../builder/secrets/secret-patterns.ts";
import { openPatterns, removeTree } from "../../../runtime-addon/index.ts";
import { removeBelow, searchWritten } from "../../../store/written-files.ts";
import { makeDeepDirectory } from "../../support/deep-directory.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const value = "supersecretvalue-1234567890";

let root: string;
let notes: string[];
/** Those that were not searched yet. */
let marked: Set<string>;
beforeEach(() => {
  root = temporaryDirectory("cache-gate");
  notes = [];
  marked = new Set();
});
afterEach(() => removeTree(root));

function cache(id: string): WritableCache {
  const directory = join(root, id);
  mkdirSync(directory);
  const mark = async () => {
    marked.add(id);
    return () => void marked.delete(id);
  };
  return { id, directory, mark, discard: () => removeTree(directory) };
}

function gateOf(...caches: readonly WritableCache[]): Promise<CacheGate> {
  return gateWith(caches);
}

function gateWith(caches: readonly WritableCache[], signal = new AbortController().signal, search = searchWritten): Promise<CacheGate> {
  const patterns = secretPatterns("token", Buffer.from(value));
  return openCacheGate(caches, {
    secrets: { all: [{ id: "token", bytes: Buffer.from(value), patterns, isPublic: false }], hidden: openPatterns(patterns) },
    allowed: { get: async () => undefined, all: async () => [], isAllowed: () => false },
    work: { search, removeBelow: ({ directory, paths }) => removeBelow(directory, paths) },
    onNote: (message) => notes.push(message),
    signal,
  });
}

/** More bytes of path than are looked at. */
const tooDeep = { levels: 340, nameLength: 200 };

describe("attack: a secret in a cache mount", () => {
  it("below directories too deep for a path is found and removed", async () => {
    const one = cache("one");
    const gate = await gateOf(one);
    makeDeepDirectory(one.directory, value);
    await expect(gate.refuse()).rejects.toMatchObject({
      code: "SECRET_IN_CACHE",
      message: expect.stringMatching(
        /^looking for secrets in cache mounts: "token": .* of the cache mount "one" has it as it is; removed from there$/,
      ),
    });
    expect(
      await searchWritten({ directory: one.directory, sinceMs: 0, patterns: [{ bytes: Buffer.from(value), breaks: "", id: "" }] }),
    ).toEqual([]);
    await gate.close();
    expect(notes).toEqual([]);
  });

  it("whose directories are deeper than is looked goes with the whole cache, and from the other caches alone", async () => {
    const [deep, other] = [cache("deep"), cache("other")];
    const gate = await gateOf(deep, other);
    makeDeepDirectory(deep.directory, value, tooDeep);
    for (const name of ["kept", "token"]) writeFileSync(join(other.directory, name), name === "kept" ? "x" : value);
    await expect(gate.refuse()).rejects.toMatchObject({
      code: "SECRET_IN_CACHE",
      message: expect.stringMatching(
        /^looking for secrets in cache mounts: "token": "\/token" of the cache mount "other" has it as it is; removed from there; the cache mount "deep" cannot be searched \(ENAMETOOLONG: .{1,200}…\) and is thrown away$/,
      ),
    });
    expect([existsSync(deep.directory), readdirSync(other.directory)]).toEqual([false, ["kept"]]);
  });

  it("behind such directories alone fails the build, too", async () => {
    const deep = cache("deep");
    const gate = await gateOf(deep);
    makeDeepDirectory(deep.directory, "", tooDeep);
    await expect(gate.refuse()).rejects.toMatchObject({ code: "CACHE_NOT_SEARCHED" });
    expect(existsSync(deep.directory)).toBe(false);
  });

  it("of a step that failed is removed from each cache, with a note", async () => {
    const [deep, other] = [cache("deep"), cache("other")];
    const gate = await gateOf(deep, other);
    makeDeepDirectory(deep.directory, value, tooDeep);
    writeFileSync(join(other.directory, "token"), value);
    expect([...marked]).toEqual(["deep", "other"]);
    await gate.close();
    expect([existsSync(deep.directory), readdirSync(other.directory)]).toEqual([false, []]);
    expect([...marked]).toEqual(["deep"]);
    expect(notes).toEqual([
      'removed, for the secrets in it: "token": "/token" of the cache mount "other" has it as it is',
      expect.stringMatching(/^it may hold secrets: the cache mount "deep" cannot be searched \(.*\) and is thrown away$/),
    ]);
  });

  it("in an attribute of the mount's own directory goes with the whole cache", async () => {
    const one = cache("one");
    const gate = await gateOf(one);
    execFileSync("setfattr", ["-n", "user.token", "-v", value, one.directory]);
    await expect(gate.refuse()).rejects.toMatchObject({
      code: "SECRET_IN_CACHE",
      message:
        'looking for secrets in cache mounts: "token": the name or an attribute of "/" of the cache mount "one" has it as it is; removed from there',
    });
    expect([existsSync(one.directory), [...marked]]).toEqual([false, []]);
  });

  it("is found where the clock was set back while the command ran", async () => {
    const one = cache("one");
    const now = vi.spyOn(Date, "now");
    now.mockReturnValue(performance.timeOrigin + performance.now() + 3_600_000);
    const gate = await gateOf(one);
    now.mockRestore();
    writeFileSync(join(one.directory, "token"), value);
    await expect(gate.refuse()).rejects.toMatchObject({ code: "SECRET_IN_CACHE" });
    expect(readdirSync(one.directory)).toEqual([]);
  });

  it("is still removed when the build is ended in the middle of the search", async () => {
    const one = cache("one");
    const ending = new AbortController();
    let searches = 0;
    const gate = await gateWith([one], ending.signal, (request, options) => {
      if (++searches === 1) ending.abort();
      return searchWritten(request, options);
    });
    writeFileSync(join(one.directory, "token"), value);
    await gate.close();
    expect([searches, readdirSync(one.directory)]).toEqual([2, []]);
  });

  it("behind a hole of 8 TiB is found, at once", async () => {
    const one = cache("one");
    const gate = await gateOf(one);
    writeFileSync(join(one.directory, "sparse"), "");
    const fd = openSync(join(one.directory, "sparse"), "r+");
    writeSync(fd, value, 2 ** 43 - 100);
    closeSync(fd);
    await expect(gate.refuse()).rejects.toMatchObject({ code: "SECRET_IN_CACHE" });
    expect(readdirSync(one.directory)).toEqual([]);
  });

  it("in a directory that the secret itself names is not told by the error", async () => {
    const one = cache("one");
    const gate = await gateOf(one);
    mkdirSync(join(one.directory, value));
    makeDeepDirectory(join(one.directory, value), "", tooDeep);
    const error = await gate.refuse().catch((failure: Error) => failure);
    expect(String(error)).toContain("***");
    expect(String(error)).not.toContain(value);
  });
});
