import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import { writeRecord } from "../../../store/records.ts";
import { openStore } from "../../../store/store.ts";
import { addLayer, putImage } from "../../store/sample-image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";
import { typingTerminal } from "./typing-terminal.ts";

let root: string;
const key = createHash("sha256").update("step").digest("hex");
const record = () => existsSync(join(root, "v1/steps", key.slice(0, 2), key));

beforeEach(async () => {
  root = join(temporaryDirectory("prune"), "store");
  await using store = await openStore(root);
  await putImage(store, ["app"], [{ a: "a".repeat(50_000) }]);
  const layer = await addLayer(store, { b: "b".repeat(50_000) });
  const directory = await store.temp("dir");
  writeFileSync(join(directory, "b"), "b".repeat(50_000));
  execFileSync("ln", [join(directory, "b"), join(directory, "linked")]);
  await store.layers.adoptDirectory(layer.diffId, directory, "exact");
  await writeRecord(store, "steps", key, Buffer.from(JSON.stringify({ layer })));
  await addLayer(store, { c: "c".repeat(50_000) });
  mkdirSync(join(root, "v1/trash/0123"));
});

async function tsbuild(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = fakeIo({ env: { TSBUILD_ROOT: root } });
  const code = await dispatch(args, io);
  return { code, ...io.printed };
}

const du = () => Number(execFileSync("du", ["-s", "--block-size=1", root], { encoding: "utf8" }).split("\t")[0]);

interface Df {
  readonly bytes: number;
  readonly reclaimableBytes: number;
  readonly kinds: readonly { kind: string; count: number; bytes: number; reclaimableBytes: number }[];
}
const usage = async (): Promise<Df> => JSON.parse((await tsbuild("df", "--format", "json")).stdout);

describe("prune beside damage", () => {
  const parts = () => ["blobs/sha256", "v1/layers", "v1/git"].map((folder) => readdirSync(join(root, folder)));

  beforeEach(async () => {
    await using store = await openStore(root);
    await putImage(store, [], [{ unnamed: "image" }]);
    const repository = join(root, "v1/git", "0".repeat(32));
    mkdirSync(repository, { recursive: true });
    writeFileSync(join(repository, "pack"), "x".repeat(10_000));
  });

  const damages: readonly [string, () => void, RegExp][] = [
    [
      "of an image",
      () => {
        const { digest } = JSON.parse(readFileSync(join(root, "index.json"), "utf8")).manifests[0];
        writeFileSync(join(root, "blobs/sha256", digest.slice(7)), "{");
      },
      /^error: collecting garbage: reading blob sha256:\w+: .* \[INTEGRITY\]$/m,
    ],
    [
      "of a kept container",
      () => mkdirSync(join(root, "v1/containers/kept/upper"), { recursive: true }),
      /^error: reading the container kept: its record is missing \[INVALID_DOCUMENT\]$/m,
    ],
  ];

  it.each(damages)("%s names it, takes what nobody can need and says so with its exit code", async (_name, damage, expected) => {
    damage();
    const [blobs, layers] = parts();
    for (const words of [["--dry-run"], ["-f"], []]) {
      const { code, stderr } = await tsbuild("prune", "--all", ...words);
      expect([code, stderr.match(/^\w+:/gm)]).toEqual([1, ["error:", "note:"]]);
      expect(stderr).toMatch(expected);
      expect(stderr).toContain("tsbuild verify");
    }
    expect(parts()).toEqual([blobs, layers, []]);
    expect(record()).toBe(true);
    await tsbuild("verify", "--repair");
    expect((await tsbuild("prune", "--all", "-f")).code).toBe(0);
    expect(record()).toBe(false);
  });
});

describe("df", () => {
  it("adds up to what du says, in all and by kind", async () => {
    const { bytes, kinds } = await usage();
    expect(bytes).toBe(du());
    expect(kinds.reduce((sum, kind) => sum + kind.bytes, 0)).toBe(bytes);
    const directories = execFileSync("sh", ["-c", `du -s --block-size=1 ${root}/v1/layers/*/dir`], { encoding: "utf8" });
    expect(kinds.find(({ kind }) => kind === "directories")?.bytes).toBe(Number(directories.split("\t")[0]));
    expect(Object.fromEntries(kinds.map(({ kind, count }) => [kind, count]))).toEqual({
      images: 1,
      "cache-mounts": 0,
      containers: 0,
      layers: 2,
      directories: 1,
      steps: 1,
      remote: 0,
      downloads: 0,
      failed: 0,
      git: 0,
      temp: 0,
      trash: 1,
      other: 0,
    });
  });

  it("says what prune --all gives back", async () => {
    const before = await usage();
    const freed = JSON.parse((await tsbuild("prune", "--all", "--format", "json")).stdout);
    const after = await usage();
    expect(freed.totalBytes).toBe(before.reclaimableBytes);
    expect(after.reclaimableBytes).toBe(0);
    const left = after.kinds.filter(({ kind, bytes }) => bytes > 0 && kind !== "other").map(({ kind }) => kind);
    expect(left).toEqual(["images"]);
    expect(after.bytes).toBe(du());
  });

  it("prints a table for people", async () => {
    const { code, stdout } = await tsbuild("df");
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/^KIND +COUNT +SIZE +RECLAIMABLE$/);
    expect(stdout).toMatch(/^total +[\d.]+ kB +[\d.]+ kB$/m);
  });
});

describe("prune", () => {
  it("takes what nothing needs, and leaves the cache", async () => {
    const { code, stdout } = await tsbuild("prune");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^KIND +COUNT +FREED\nlayers +1 +[\d.]+ kB\ntemp +1 +\S+ k?B\ntotal +[\d.]+ kB\n$/);
    expect(record()).toBe(true);
    expect((await tsbuild("prune")).stdout).toMatch(/^KIND +COUNT +FREED\ntotal +0 B\n$/);
  });

  it.each<[name: string, args: string[], keepsRecord: boolean]>([
    ["all", ["--all"], false],
    ["a size that is enough", ["--keep-storage", "1g"], true],
    ["a size that is too small", ["--keep-storage", "1k"], false],
    ["an age that nothing has", ["--max-age", "1h"], true],
    ["an age that nothing has, as a filter", ["--filter", "until=1h30m"], true],
    ["another type", ["--filter", "type=directories"], true],
    ["its type", ["--filter", "type=steps", "--filter", "type=git"], false],
    ["a dry run", ["--all", "--dry-run"], true],
  ])("keeps to %s", async (_name, args, keepsRecord) => {
    expect((await tsbuild("prune", "--force", ...args)).code).toBe(0);
    expect(record()).toBe(keepsRecord);
  });

  it.each<[name: string, args: string[], message: string]>([
    ["a size", ["--keep-storage", "much"], 'reading --keep-storage: "much" is not a size'],
    ["an age", ["--max-age", "old"], 'reading --max-age: "old" is not a duration'],
    ["a filter", ["--filter", "type=regular"], 'reading --filter: "type=regular" is not known'],
  ])("refuses %s that is none", async (_name, args, message) => {
    const { code, stderr } = await tsbuild("prune", ...args);
    expect([code, stderr.split(" [")[0]]).toEqual([2, `error: ${message}`]);
  });

  it.each<[answer: string, code: number, keepsRecord: boolean]>([
    ["y\n", 0, false],
    ["\n", 1, true],
    ["no\n", 1, true],
  ])("asks at a terminal: %j", async (answer, code, keepsRecord) => {
    const terminal = typingTerminal([answer], undefined, { env: { TSBUILD_ROOT: root } });
    expect(await dispatch(["prune", "--all"], terminal)).toBe(code);
    expect(record()).toBe(keepsRecord);
  });
});

describe("rmi", () => {
  it("says what prune would give back", async () => {
    const { code, stderr } = await tsbuild("rmi", "app");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^note: [\d.]+ \w?B are in no image any more; tsbuild prune gives back \d+ kB of the store, tsbuild prune --all with all build cache \d+ kB\n$/,
    );
  });
});
