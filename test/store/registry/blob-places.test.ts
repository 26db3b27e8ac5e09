import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { digestOf, hexOf } from "../../../store/digest.ts";
import { type BlobPlaces, blobPlaces } from "../../../store/registry/blob-places.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let store: Store;
let places: BlobPlaces;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("places"), "store"));
  places = blobPlaces(store);
  return () => store.close();
});

const digest = digestOf("blob");
const path = () => join(store.root, "v1/places", hexOf(digest));
const place = (repository: string, registry = "docker.io") => ({ registry, repository });

describe("places of a blob", () => {
  it("are those that were added, newest first", async () => {
    expect(await places.of(digest)).toEqual([]);
    await places.add([digest, digestOf("other")], place("library/debian"), "sent");
    await places.add([digest], place("me/app", "host:5000"), "sent");
    expect(await places.of(digest)).toEqual([place("me/app", "host:5000"), place("library/debian")]);
    expect(await places.of(digestOf("other"))).toEqual([place("library/debian")]);
  });

  it("are written once", async () => {
    await places.add([digest], place("one"), "sent");
    await places.add([digest], place("library/two"), "sent");
    const { ino } = statSync(path());
    await places.add([digest, digest], place("library/two"), "sent");
    expect(statSync(path()).ino).toBe(ino);
  });

  it("are eight at most", async () => {
    for (let i = 0; i < 10; i++) await places.add([digest], place(`library/r${i}`), "sent");
    expect((await places.of(digest)).map(({ repository }) => repository)).toEqual([9, 8, 7, 6, 5, 4, 3, 2].map((i) => `library/r${i}`));
  });

  it.each([
    ["an empty file", "", []],
    ["zeros", "\0".repeat(64), []],
    ["a torn line", "docker.io/library/debian\ndocker.io/libr@", [place("library/debian")]],
    [
      "lines that are no repositories",
      "../../etc\nhttp://x/y\ndocker.io/library/UPPER\nhost:5000/ok/app:tag\nhost:5000/ok\n",
      [place("ok", "host:5000")],
    ],
    ["a very long file", "docker.io/library/a\n".repeat(100_000), Array(8).fill(place("library/a"))],
  ])("are read from %s as far as they make sense", async (_, text, expected) => {
    mkdirSync(dirname(path()), { recursive: true });
    writeFileSync(path(), text);
    expect(await places.of(digest)).toEqual(expected);
    await places.add([digest], place("library/new"), "sent");
    expect(readFileSync(path(), "utf8").split("\n")[0]).toBe("docker.io/library/new");
  });

  it("are none where a directory stands in the way, and nothing fails", async () => {
    mkdirSync(path(), { recursive: true });
    expect(await places.of(digest)).toEqual([]);
    await places.add([digest], place("one"), "sent");
    expect(await places.of(digest)).toEqual([]);
  });

  it("are not remembered where they cannot be written, and nothing fails", async () => {
    rmSync(dirname(path()), { recursive: true, force: true });
    symlinkSync("/dev/null", dirname(path()));
    await places.add([digest], place("one"), "received");
    expect(await places.of(digest)).toEqual([]);
  });
});

describe("a blob that came from a registry", () => {
  it.each<[how: readonly ("received" | "sent")[], came: boolean]>([
    [[], false],
    [["sent"], false],
    [["received"], true],
    [["sent", "received"], true],
    [["received", "sent"], true],
    [["received", ...Array(10).fill("sent")], true],
  ])("is told from what was sent: %j", async (how, came) => {
    for (const [i, one] of how.entries()) await places.add([digest], place(`library/r${i}`), one);
    expect(await places.cameFromRegistry(digest)).toBe(came);
    expect(await places.of(digest)).toHaveLength(Math.min(how.length, 8));
  });

  it("is told also when it comes from where it was sent before", async () => {
    await places.add([digest], place("library/a"), "sent");
    await places.add([digest], place("library/a"), "received");
    expect([await places.cameFromRegistry(digest), await places.of(digest)]).toEqual([true, [place("library/a")]]);
  });

  it.each<[name: string, text: string, came: boolean, of: number]>([
    ["of an older tsbuild", "docker.io/library/a\nhost:5000/ok\n", false, 2],
    ["whose mark is torn", "#recei\ndocker.io/library/a\n", false, 1],
    ["with the mark and nothing else", "#received\n", true, 0],
    ["with the mark and many places", `#received\n${"docker.io/library/a\n".repeat(100)}`, true, 8],
  ])("is read from a file %s", async (_name, text, came, of) => {
    mkdirSync(dirname(path()), { recursive: true });
    writeFileSync(path(), text);
    expect([await places.cameFromRegistry(digest), (await places.of(digest)).length]).toEqual([came, of]);
  });
});
