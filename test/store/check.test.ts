import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { commitContainer } from "../../builder/commit-container.ts";
import { checkStore } from "../../store/check/check-store.ts";
import { repairStore } from "../../store/check/repair-store.ts";
import { createContainer, holdContainer, listContainers } from "../../store/containers.ts";
import { type Digest, hexOf } from "../../store/digest.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { storeUsage } from "../../store/gc/usage.ts";
import { applyLayer } from "../../store/layer/apply.ts";
import { mediaTypes } from "../../store/oci.ts";
import { stackLayers } from "../../store/open-rootfs.ts";
import { writeRecord } from "../../store/records.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { raw, trailer } from "./layer/samples.ts";
import { addLayer, configOf, putImage } from "./sample-image.ts";

let root: string;
let config: Digest;
let imageLayer: Digest;
let cached: Digest;
const key = createHash("sha256").update("step").digest("hex");

async function using<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore(root);
  return await use(store);
}
const blob = (digest: Digest) => join(root, "blobs/sha256", hexOf(digest));
const inLayer = (name: string) => join(root, "v1/layers", hexOf(cached), name);
const record = () => join(root, "v1/steps", key.slice(0, 2), key);

beforeEach(async () => {
  root = join(temporaryDirectory("check"), "store");
  await using(async (store) => {
    const image = await putImage(store, ["app"], [{ "a/": "", "a/b": "in the image" }]);
    config = image.imageId;
    imageLayer = image.layers[0]?.diffId as Digest;
    const layer = await addLayer(store, { "d/": "", "d/e": "in the cache", "d/.wh": "x", gone: null });
    cached = layer.diffId;
    const tree = await store.layers.tree(cached);
    const scratch = await store.temp("dir");
    await applyLayer(tree, await store.layers.plainTar(cached), join(scratch, "dir"), {
      owners: "exact",
      lower: await stackLayers(store.layers, []),
    });
    await store.layers.adoptDirectory(cached, join(scratch, "dir"), "exact");
    await writeRecord(store, "steps", key, Buffer.from(JSON.stringify({ layer })));
    await writeRecord(store, "by-op", key, Buffer.from(`sha256:${key}`));
  });
});

const check = () => using((store) => checkStore(store));
const found = async () => (await check()).map(({ kind, subject, problem }) => `${kind} ${subject.replaceAll(root, "ROOT")}: ${problem}`);
const repair = () => using(async (store) => repairStore(store, await checkStore(store)));

describe("a whole store", () => {
  it("has no problems, whatever ended processes left", async () => {
    mkdirSync(join(root, "v1/tmp/0123456789abcdef"));
    mkdirSync(join(root, "v1/trash/feed"));
    mkdirSync(join(root, "v1/layers", "0".repeat(64)));
    expect(await found()).toEqual([]);
  });
});

describe("what is damaged", () => {
  it.each<[name: string, damage: () => void, expected: () => string[], lost: string[]]>([
    [
      "a blob of an image",
      () => writeFileSync(blob(imageLayer), readFileSync(blob(imageLayer)).fill(0, 600, 601).fill(1, 600, 601)),
      () => [expect.stringMatching(`^blob ${imageLayer}: its bytes hash to sha256:`), expect.stringMatching(/^image app: /)] as string[],
      ["app"],
    ],
    [
      "a config that was cut short",
      () => truncateSync(blob(config), 10),
      () =>
        [
          expect.stringMatching(`^blob ${config}: its bytes hash to sha256:`),
          expect.stringMatching(/^image app: .* expected \d+ bytes, got 10$/),
        ] as string[],
      ["app"],
    ],
    [
      "a blob that is missing",
      () => rmSync(blob(imageLayer)),
      () => [expect.stringMatching(/^image app: .*is not in /)] as string[],
      ["app"],
    ],
    [
      "the blob of a cached step",
      () => appendFileSync(blob(cached), "x"),
      () =>
        [
          expect.stringMatching(`^blob ${cached}: its bytes hash to sha256:`),
          `record v1/steps/${key.slice(0, 2)}/${key}: its layer ${cached} is gone`,
        ] as string[],
      [],
    ],
    ["a tree that was cut short", () => truncateSync(inLayer("tree"), 20), () => [`tree ${cached}: its tree is missing or damaged`], []],
    [
      "a tree that says something else",
      () => writeFileSync(inLayer("tree"), readFileSync(inLayer("tree"), "latin1").replace("d/e", "d/f"), "latin1"),
      () => [`tree ${cached}: its tree is missing or damaged`],
      [],
    ],
    [
      "a layer's info in one digit",
      () => writeFileSync(inLayer("info"), readFileSync(inLayer("info"), "latin1").replace(/"treeSize":(\d+)/, '"treeSize":1$1'), "latin1"),
      () => [`tree ${cached}: what is written down about it is damaged`],
      [],
    ],
    ["a layer's info", () => truncateSync(inLayer("info"), 20), () => [`tree ${cached}: what is written down about it is damaged`], []],
    [
      "a file of an unpacked directory",
      () => writeFileSync(inLayer("dir/fs/d/e"), "in the_cache"),
      () => [`directory v1/layers/${hexOf(cached)}/dir: its "d/e" has other bytes than the layer's`],
      [],
    ],
    [
      "an attribute of an unpacked file",
      () => execFileSync("setfattr", ["-n", "user.note", "-v", "x", inLayer("dir/fs/d/e")]),
      () => [`directory v1/layers/${hexOf(cached)}/dir: its "d/e" has the attribute "user.note", and the layer has not`],
      [],
    ],
    [
      "the mode of an unpacked file",
      () => chmodSync(inLayer("dir/fs/d/e"), 0o4777),
      () => [`directory v1/layers/${hexOf(cached)}/dir: its "d/e" has mode 4777, not 644`],
      [],
    ],
    [
      "an unpacked directory with something more",
      () => symlinkSync("/", inLayer("dir/fs/more")),
      () => [`directory v1/layers/${hexOf(cached)}/dir: it has "more", and the layer has not`],
      [],
    ],
    [
      "an unpacked directory without a removal",
      () => rmSync(inLayer("dir/fs/gone")),
      () => [`directory v1/layers/${hexOf(cached)}/dir: "gone" is missing`],
      [],
    ],
    [
      "a tree and an unpacked directory of one layer",
      () => {
        truncateSync(inLayer("tree"), 20);
        rmSync(inLayer("dir/fs/d/e"));
      },
      () => [`tree ${cached}: its tree is missing or damaged`, `directory v1/layers/${hexOf(cached)}/dir: "d/e" is missing`],
      [],
    ],
    [
      "a layer's info and its unpacked directory",
      () => {
        truncateSync(inLayer("info"), 20);
        rmSync(inLayer("dir/fs/d/e"));
      },
      () => [`tree ${cached}: what is written down about it is damaged`, `directory v1/layers/${hexOf(cached)}/dir: "d/e" is missing`],
      [],
    ],
    [
      "a layer's info where its blob is gone",
      () => {
        truncateSync(inLayer("info"), 20);
        rmSync(blob(cached));
      },
      () => [
        `tree ${cached}: what is written down about it is damaged`,
        `directory v1/layers/${hexOf(cached)}/dir: what it was made of is not known any more`,
        `record v1/steps/${key.slice(0, 2)}/${key}: its layer ${cached} is gone`,
      ],
      [],
    ],
    ["a record", () => truncateSync(record(), 80), () => [`record v1/steps/${key.slice(0, 2)}/${key}: it is torn`], []],
    [
      "a reference to a record",
      () => rmSync(record()),
      () => [`record v1/steps/by-op/${key.slice(0, 2)}/${key}: it leads to v1/steps/${key.slice(0, 2)}/${key}, which is gone`],
      [],
    ],
    ["a file that is no blob", () => writeFileSync(join(root, "blobs/sha256/x"), ""), () => ["stray blobs/sha256/x: it is no blob"], []],
  ])("is named and repaired: %s", async (_name, damage, expected, lost) => {
    damage();
    expect(await found()).toEqual(expected());
    expect((await repair()).flatMap(({ names }) => names)).toEqual(lost);
    expect(await found()).toEqual([]);
    expect(await using(async (store) => (await store.images.list()).length)).toBe(1 - lost.length);
  });
});

describe("an image that says of one blob that it is two layers", () => {
  it("is named", async () => {
    const [one, two] = await using(async (store) => {
      const layer = await addLayer(store, { a: "1" });
      const other = await addLayer(store, { a: "2" });
      await store.images.put({ config: configOf([layer, other]), layers: [layer.blob, layer.blob], names: ["two"] });
      return [layer.diffId, other.diffId];
    });
    expect(await found()).toEqual([`image two: layer[1] ${one}: the config's diffId is ${two}, its plain tar's is ${one}`]);
  });
});

describe("what cannot be read here", () => {
  it("is named and stays, with all that is known of it", async () => {
    const digest = await using(async (store) => {
      const blob = await store.blobs.putBytes(mediaTypes.layer, Buffer.concat([raw({ name: "part", type: "M" }), trailer]));
      const tree = { diffId: blob.digest, contentId: blob.digest, size: blob.size, entries: [] };
      const layer = await store.layers.add(tree, { blob });
      await store.images.put({ config: configOf([layer]), layers: [blob], names: ["parts"] });
      return blob.digest;
    });
    const expected = [expect.stringMatching(/^image parts: reading a tar: /), expect.stringMatching(`^tree ${digest}: reading a tar: `)];
    expect(await found()).toEqual(expected);
    expect(await repair()).toEqual([]);
    expect(await found()).toEqual(expected);
    expect(readdirSync(join(root, "v1/layers", hexOf(digest))).sort()).toEqual(["info", "tree"]);
    await using(async (store) => expect((await store.images.list()).flatMap(({ names }) => names).sort()).toEqual(["app", "parts"]));
  });
});

describe("what another process puts in the place of something damaged before it is repaired", () => {
  it.each([
    ["a blob", () => blob(imageLayer)],
    ["a record", record],
  ])("stays: %s", async (_name, path) => {
    const whole = readFileSync(path());
    truncateSync(path(), whole.length - 20);
    const problems = await check();
    expect(problems).not.toEqual([]);
    writeFileSync(join(root, "whole"), whole);
    renameSync(join(root, "whole"), path());
    expect(await using((store) => repairStore(store, problems))).toEqual([]);
    expect(readFileSync(path())).toEqual(whole);
    expect(await found()).toEqual([]);
  });
});

describe("what takes the room", () => {
  it("is told although a document of an image is damaged, and what would be freed is not", async () => {
    truncateSync(blob(config), 10);
    const rows = await using(storeUsage);
    expect(rows.find(({ kind }) => kind === "images")).toMatchObject({ count: 1 });
    expect(rows.reduce((sum, { reclaimableBytes }) => sum + reclaimableBytes, 0)).toBe(0);
  });
});

describe("a kept container", () => {
  it("is named where a layer that it stands on is damaged, and stays", async () => {
    await using(async (store) => {
      const layer = await addLayer(store, { base: "of no image" });
      const kept = { image: "app", manifestDigest: layer.diffId, created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
      await (await createContainer(store, "kept", { ...kept, layers: [layer], config: configOf([layer]) }))[Symbol.asyncDispose]();
      rmSync(store.blobs.path(layer.blob.digest));
    });
    const expected = [expect.stringMatching(/^container kept: .*is not in /)];
    expect(await found()).toEqual(expected);
    expect(await repair()).toEqual([]);
    expect(await found()).toEqual(expected);
  });

  it.each([
    ["damaged", () => truncateSync(join(root, "v1/containers/kept/container.json"), 20)],
    ["missing", () => rmSync(join(root, "v1/containers/kept/container.json"))],
  ])("is named where its record is %s, and keeps its files when that is repaired", async (state, damage) => {
    await using(async (store) => {
      const layer = await addLayer(store, { base: "of no image" });
      const kept = { image: "app", manifestDigest: layer.diffId, created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
      for (const name of ["kept", "other"])
        await (await createContainer(store, name, { ...kept, layers: [layer], config: configOf([layer]) }))[Symbol.asyncDispose]();
    });
    const upper = join(root, "v1/containers/kept/upper");
    mkdirSync(upper);
    writeFileSync(join(upper, "work"), "of days");
    damage();
    expect(await found()).toEqual([`container kept: its record is ${state}; its files are in ${upper}`]);
    await expect(listContainers(root)).rejects.toMatchObject({ message: `reading the container kept: its record is ${state}` });
    expect(await repair()).toEqual([]);
    expect(await found()).toEqual([]);
    expect(readFileSync(join(upper, "work"), "utf8")).toBe("of days");
    await using(async (store) => {
      expect((await listContainers(root)).map(({ name, state }) => [name, state.kind]).sort()).toEqual([
        ["kept", "damaged"],
        ["other", "lost"],
      ]);
      await expect(commitContainer(store, "kept", { name: "app", nowMs: 0, onNote: () => {} })).rejects.toMatchObject({
        message: "committing the container kept: its record was damaged, and its image is not known",
        hint: `its files are in ${upper}; tsbuild rm kept removes them`,
      });
      await (await holdContainer(store, "kept"))[Symbol.asyncDispose]();
      // What others need is known again.
      await collectGarbage(store);
    });
  });

  it("stays while it runs, whatever its record is", async () => {
    await using(async (store) => {
      const layer = await addLayer(store, { base: "of no image" });
      const kept = { image: "app", manifestDigest: layer.diffId, created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
      await using running = await createContainer(store, "kept", { ...kept, layers: [layer], config: configOf([layer]) });
      truncateSync(join(running.directory, "container.json"), 20);
      expect(await checkStore(store)).toMatchObject([
        { subject: "kept", problem: expect.stringMatching(/^its record is damaged;/), remedy: { do: "nothing" } },
      ]);
    });
  });
});
