import { describe, expect, it } from "vitest";
import { isRacy, statCache } from "../../../builder/context/stat-cache.ts";
import type { ByteString, ScanEntry } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";

const seenAtMs = 2_000_000;

function scanned(change: Partial<ScanEntry> = {}): ScanEntry {
  return {
    path: "a/b" as ByteString,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 3,
    mtime: 1000,
    mtimeNsec: 1,
    nlink: 1,
    inode: "1",
    major: 0,
    minor: 0,
    identity: "\x00\xffidentity" as ByteString,
    ctime: 1000,
    ctimeNsec: 1,
    ...change,
  };
}

const digest = digestOf("content");

describe("the stat cache", () => {
  it("gives the digest of a file that is as it was", () => {
    const cache = statCache(undefined);
    cache.remember(scanned(), digest, seenAtMs);
    expect(cache.digest(scanned())).toBe(digest);
  });

  it.each<[name: string, change: Partial<ScanEntry>]>([
    ["another identity", { identity: "other" as ByteString }],
    ["another path", { path: "a/c" as ByteString }],
  ])("gives nothing for %s", (_name, change) => {
    const cache = statCache(undefined);
    cache.remember(scanned(), digest, seenAtMs);
    expect(cache.digest(scanned(change))).toBeUndefined();
  });

  it("survives being written and read, names that are no UTF-8 too", () => {
    const entries = [
      scanned(),
      scanned({ path: "\xff\xfe/\u0000" as ByteString, identity: "" as ByteString }),
      scanned({ path: "x".repeat(4095) as ByteString }),
    ];
    const cache = statCache(undefined);
    for (const [i, entry] of entries.entries()) cache.remember(entry, digestOf(`${i}`), seenAtMs);
    const read = statCache(cache.encode());
    expect(entries.map((entry) => read.digest(entry))).toEqual(entries.map((_, i) => digestOf(`${i}`)));
  });

  it("keeps what it was read with when it is written again", () => {
    const first = statCache(undefined);
    first.remember(scanned(), digest, seenAtMs);
    const second = statCache(first.encode());
    second.remember(scanned({ path: "z" as ByteString }), digestOf("z"), seenAtMs);
    const third = statCache(second.encode());
    expect([third.digest(scanned()), third.digest(scanned({ path: "z" as ByteString }))]).toEqual([digest, digestOf("z")]);
  });

  it("forgets what is gone below a path that was looked through, and nothing else", () => {
    const at = (path: string) => scanned({ path: path as ByteString });
    const first = statCache(undefined);
    for (const path of ["d/gone", "d/kept", "da", "e/f"]) first.remember(at(path), digest, seenAtMs);
    const second = statCache(first.encode());
    second.digest(at("d/kept"));
    second.cover("d" as ByteString);
    const third = statCache(second.encode());
    expect(["d/gone", "d/kept", "da", "e/f"].map((path) => third.digest(at(path)) !== undefined)).toEqual([false, true, true, true]);
  });

  it("replaces what it knew of a path", () => {
    const cache = statCache(undefined);
    cache.remember(scanned(), digest, seenAtMs);
    cache.remember(scanned({ identity: "new" as ByteString }), digestOf("new"), seenAtMs);
    const read = statCache(cache.encode());
    expect([read.digest(scanned()), read.digest(scanned({ identity: "new" as ByteString }))]).toEqual([undefined, digestOf("new")]);
  });

  it("says whether it learned something", () => {
    const cache = statCache(undefined);
    cache.digest(scanned());
    expect(cache.changed).toBe(false);
    cache.remember(scanned(), digest, seenAtMs);
    expect(cache.changed).toBe(true);
  });

  it("does not learn from a file that may still change unseen", () => {
    const cache = statCache(undefined);
    cache.remember(scanned({ ctime: seenAtMs / 1000 }), digest, seenAtMs);
    expect([cache.changed, cache.digest(scanned({ ctime: seenAtMs / 1000 }))]).toEqual([false, undefined]);
  });
});

describe("bytes that encode() did not give are an empty cache:", () => {
  const whole = () => {
    const cache = statCache(undefined);
    cache.remember(scanned({ path: "one" as ByteString }), digest, seenAtMs);
    cache.remember(scanned({ path: "two" as ByteString }), digest, seenAtMs);
    return cache.encode();
  };
  const known = (bytes: Buffer) =>
    ["one", "two"].filter((path) => statCache(bytes).digest(scanned({ path: path as ByteString })) !== undefined);

  it.each<[name: string, bytes: Buffer, expected: string[]]>([
    ["all of it", whole(), ["one", "two"]],
    ["nothing", Buffer.alloc(0), []],
    ["another version", Buffer.from(whole().toString("latin1").replace("cache 1", "cache 2"), "latin1"), []],
    ["text", Buffer.from("hello"), []],
    ["the last byte missing", whole().subarray(0, -1), ["one"]],
  ])("%s", (_name, bytes, expected) => {
    expect(known(bytes)).toEqual(expected);
  });

  it("cut off anywhere", () => {
    const bytes = whole();
    for (let length = 0; length < bytes.length; length++) expect(known(bytes.subarray(0, length)).length).toBeLessThan(2);
  });
});

describe("a file is racy", () => {
  it.each<[name: string, ctime: number, ctimeNsec: number, expected: boolean]>([
    ["changed in the future", 2001, 1, true],
    ["changed this moment", 2000, 0, true],
    ["changed a tick ago", 1999, 960_000_000, true],
    ["not when changed a while ago", 1999, 940_000_000, false],
    ["changed within two seconds where nanoseconds are not counted", 1998, 0, true],
    ["not when changed three seconds ago where they are not", 1997, 0, false],
  ])("%s", (_name, ctime, ctimeNsec, expected) => {
    expect(isRacy(scanned({ ctime, ctimeNsec }), seenAtMs)).toBe(expected);
  });
});
