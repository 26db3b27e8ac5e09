import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { beforeEach, describe, expect, it } from "vitest";
import { loadImages } from "../../../store/archive/load.ts";
import { saveImages } from "../../../store/archive/save.ts";
import { defaultLimits, type PlainLimits } from "../../../store/compression.ts";
import { digestOf, hexOf } from "../../../store/digest.ts";
import type { Image } from "../../../store/images.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { mustRun } from "../../support/command.ts";
import { needs } from "../../support/needs.ts";
import { startDockerDaemon } from "../../support/registry/docker-daemon.ts";
import { podmanIn } from "../../support/registry/podman.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { putImage } from "../sample-image.ts";

let directory: string;
let source: Store;
let store: Store;
let image: Image;
beforeEach(async () => {
  directory = temporaryDirectory("docker");
  source = await openStore(join(directory, "source"));
  store = await openStore(join(directory, "store"));
  image = await putImage(source, ["app"], [{ a: "1" }, { b: "2" }], { config: { Env: ["A=1"] }, created: "2024-01-01T00:00:00Z" });
  return async () => {
    await source.close();
    await store.close();
  };
});

type Entry = { readonly file: string | Uint8Array } | { readonly symlink: string } | { readonly link: string };

async function archive(entries: Readonly<Record<string, Entry>>): Promise<string> {
  const tar = pack();
  for (const [name, entry] of Object.entries(entries)) {
    if ("file" in entry) tar.entry({ name }, Buffer.from(entry.file));
    else if ("symlink" in entry) tar.entry({ name, type: "symlink", linkname: entry.symlink });
    else tar.entry({ name, type: "link", linkname: entry.link });
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const file = join(directory, "docker.tar");
  writeFileSync(file, Buffer.concat(chunks));
  return file;
}

const layer = (n: number) => readFileSync(source.blobs.path(image.layers[n]?.diffId ?? expect.fail("no such layer")));
const configName = () => `${hexOf(image.imageId)}.json`;
const list = (...images: readonly object[]) => ({ "manifest.json": { file: JSON.stringify(images) } });
const listed = (more: object = {}) => ({ Config: configName(), RepoTags: ["app:v1"], Layers: ["one/layer.tar", "two/layer.tar"], ...more });
/** As docker save wrote it before it wrote image layouts: the list comes last. */
const files = () => ({
  "one/VERSION": { file: "1.0" },
  "one/json": { file: "{}" },
  "one/layer.tar": { file: layer(0) },
  "two/layer.tar": { file: layer(1) },
  [configName()]: { file: image.rawConfig },
});

describe("Docker's own archive", () => {
  it("is the same image, with its names", async () => {
    const repositories = { repositories: { file: '{"app":{"v1":"x"}}' } };
    const file = await archive({ ...files(), ...repositories, ...list(listed({ RepoTags: ["app:v1", "team/app:latest"] })) });
    const [loaded = expect.fail("no image"), ...others] = await loadImages(store, { file });
    expect(others).toEqual([]);
    expect([loaded.imageId, loaded.names]).toEqual([image.imageId, ["app:v1", "team/app"]]);
    expect(loaded.layers.map(({ blob }) => [blob.mediaType, blob.digest])).toEqual(
      image.layers.map(({ diffId }) => [mediaTypes.layer, diffId]),
    );
    expect(await verifyStore(store)).toEqual([]);
    expect(readdirSync(join(store.root, "blobs/sha256"))).toHaveLength(4);
  });

  it.each<[name: string, entries: () => Readonly<Record<string, Entry>>]>([
    ["the list first", () => ({ ...list(listed()), ...files() })],
    ["compressed layers", () => ({ ...files(), "one/layer.tar": { file: gzipSync(layer(0)) }, ...list(listed()) })],
    ["no names", () => ({ ...files(), ...list(listed({ RepoTags: null })) })],
    ["names in front of which is ./", () => ({ ...files(), ...list(listed({ Layers: ["./one/layer.tar", "two//layer.tar"] })) })],
    [
      "files called as other tools call them",
      () => ({
        [`${hexOf(image.layers[0]?.diffId ?? image.imageId)}.tar`]: { file: layer(0) },
        "sha256:": { file: "" },
        [`${"a".repeat(64)}.tar.gz`]: { file: gzipSync(layer(1)) },
        [image.imageId]: { file: image.rawConfig },
        ...list({
          Config: image.imageId,
          RepoTags: [],
          Layers: [`${hexOf(image.layers[0]?.diffId ?? image.imageId)}.tar`, `${"a".repeat(64)}.tar.gz`],
        }),
      }),
    ],
    [
      "a symlink and a hard link to layers",
      () => ({
        "real/layer.tar": { file: layer(0) },
        "deep/one/layer.tar": { symlink: "../../real/layer.tar" },
        "one/layer.tar": { symlink: "../deep/one/layer.tar" },
        "other.tar": { file: layer(1) },
        "two/layer.tar": { link: "other.tar" },
        [configName()]: { file: image.rawConfig },
        ...list(listed()),
      }),
    ],
  ])("may have %s", async (_name, entries) => {
    const [loaded] = await loadImages(store, { file: await archive(entries()) });
    expect([loaded?.imageId, loaded?.layers.map(({ diffId }) => diffId)]).toEqual([image.imageId, image.config.rootfs.diff_ids]);
    expect(await verifyStore(store)).toEqual([]);
  });

  describe("with a layer's bytes in it twice, once as a blob", () => {
    const blobName = () => `blobs/sha256/${hexOf(image.layers[0]?.diffId ?? expect.fail("no such layer"))}`;
    const right = () => ({ [blobName()]: { file: layer(0) } });
    const wrong = () => ({ [blobName()]: { file: Buffer.from(layer(0)).reverse() } });

    it.each<[name: string, entries: () => Readonly<Record<string, Entry>>]>([
      ["the blob last", () => ({ ...files(), ...right(), ...list(listed()) })],
      ["the blob first", () => ({ ...right(), ...files(), ...list(listed()) })],
      ["a damaged blob last", () => ({ ...files(), ...wrong(), ...list(listed()) })],
      ["a damaged blob first", () => ({ ...wrong(), ...files(), ...list(listed()) })],
      [
        "a damaged blob, which the list names",
        () => ({ ...wrong(), ...files(), ...list(listed({ Layers: [blobName(), "two/layer.tar"] })) }),
      ],
    ])("is loaded: %s", async (_name, entries) => {
      const [loaded] = await loadImages(store, { file: await archive(entries()) });
      expect(loaded?.imageId).toBe(image.imageId);
      expect(await verifyStore(store)).toEqual([]);
    });

    it("is refused where only a damaged one is there", async () => {
      const { "one/layer.tar": _, ...others } = files();
      const file = await archive({ ...wrong(), ...others, ...list(listed({ Layers: [blobName(), "two/layer.tar"] })) });
      await expect(loadImages(store, { file })).rejects.toMatchObject({ code: "INTEGRITY" });
    });
  });

  it.each<[name: string, tool: "xz" | "bzip2", file: string]>([
    ["xz", "xz", "one/layer.tar.xz"],
    ["bzip2", "bzip2", "one/layer.tar"],
  ])("may have a layer compressed by %s, which becomes its plain tar", needs("xz", "bzip2"), async (_name, tool, name) => {
    const packed = execFileSync(tool, ["-c"], { input: layer(0) });
    const config = JSON.stringify({ ...image.config, rootfs: { type: "layers", diff_ids: [0, 0, 1].map((n) => image.layers[n]?.diffId) } });
    const entries = {
      [name]: { file: packed },
      "again.tar": { link: name },
      "two/layer.tar": { file: layer(1) },
      "config.json": { file: config },
    };
    const file = await archive({
      ...entries,
      ...list({ Config: "config.json", RepoTags: ["app:v1"], Layers: [name, "again.tar", "two/layer.tar"] }),
    });
    const [loaded] = await loadImages(store, { file });
    expect([loaded?.imageId, loaded?.names]).toEqual([digestOf(config), ["app:v1"]]);
    expect(loaded?.layers.map(({ blob }) => [blob.mediaType, blob.digest])).toEqual(
      [0, 0, 1].map((n) => [mediaTypes.layer, image.layers[n]?.diffId]),
    );
    expect(await verifyStore(store)).toEqual([]);
  });

  it.each<[name: string, bytes: () => Buffer, limits: Partial<PlainLimits>, code: string, message: string]>([
    [
      "an xz layer that is cut",
      () => execFileSync("xz", ["-c"], { input: layer(0) }).subarray(0, 80),
      {},
      "INVALID_COMPRESSION",
      "the xz data is broken",
    ],
    [
      "a bzip2 layer that is a bomb",
      () => execFileSync("bzip2", ["-c"], { input: Buffer.alloc(8 << 20) }),
      { freeBytes: 1 << 20 },
      "TOO_LARGE",
      "(a compression bomb)",
    ],
  ])("is refused, and leaves nothing: %s", needs("xz", "bzip2"), async (_name, bytes, limits, code, message) => {
    const file = await archive({ ...files(), "one/layer.tar": { file: bytes() }, ...list(listed()) });
    const loading = loadImages(store, { file }, { limits: { ...defaultLimits, ...limits } });
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(readdirSync(join(store.root, "blobs/sha256"))).toEqual([]);
    // But for the directory that the open store keeps for what it makes.
    expect(readdirSync(join(store.root, "v1/tmp"), { recursive: true })).toHaveLength(1);
  });

  it("may have several images that share layers", async () => {
    const config = JSON.stringify({ ...image.config, rootfs: { type: "layers", diff_ids: [image.layers[0]?.diffId] } });
    const second = { Config: "second.json", RepoTags: ["second:1"], Layers: ["one/layer.tar"] };
    const file = await archive({ ...files(), "second.json": { file: config }, ...list(listed(), second) });
    const loaded = await loadImages(store, { file });
    expect(loaded.map(({ imageId, names }) => [imageId, names])).toEqual([
      [image.imageId, ["app:v1"]],
      [digestOf(config), ["second:1"]],
    ]);
  });

  it.each<[name: string, entries: () => Readonly<Record<string, Entry>>, code: string, message: string]>([
    ["a list of nothing", () => list(), "INVALID_DOCUMENT", "reading manifest.json: it lists no images"],
    ["a list that is none", () => ({ "manifest.json": { file: "{}" } }), "INVALID_DOCUMENT", "it lists no images"],
    ["a list that is cut", () => ({ "manifest.json": { file: "[{" } }), "INVALID_DOCUMENT", "reading manifest.json: it is not JSON"],
    ["null in the list", () => ({ "manifest.json": { file: "[null]" } }), "INVALID_DOCUMENT", "[0].Config is no text"],
    ["layers that are a text", () => list(listed({ Layers: "one" })), "INVALID_DOCUMENT", "[0].Layers is no list of texts"],
    ["names that are numbers", () => list(listed({ RepoTags: [1] })), "INVALID_DOCUMENT", "[0].RepoTags is no list of texts"],
    ["a name that is none", () => ({ ...files(), ...list(listed({ RepoTags: ["../x"] })) }), "INVALID_REFERENCE", "../x"],
    ["a missing config", () => list(listed()), "NOT_FOUND", `.json" is not in it`],
    [
      "a missing layer",
      () => ({ ...files(), ...list(listed({ Layers: ["gone/layer.tar", "one/layer.tar"] })) }),
      "NOT_FOUND",
      '"gone/layer.tar" is not in it',
    ],
    [
      "a config outside",
      () => ({ ...files(), ...list(listed({ Config: "../../../../etc/passwd" })) }),
      "NOT_FOUND",
      '"../../../../etc/passwd" is not in it',
    ],
    [
      "layers in another order",
      () => ({ ...files(), ...list(listed({ Layers: ["two/layer.tar", "one/layer.tar"] })) }),
      "INTEGRITY",
      "its plain tar: expected",
    ],
    [
      "fewer layers than the config has",
      () => ({ ...files(), ...list(listed({ Layers: ["one/layer.tar"] })) }),
      "INVALID_DOCUMENT",
      "its manifest has 1 layers, its config 2",
    ],
    [
      "a layer that is a symlink to a file of the host",
      () => ({ ...files(), "one/layer.tar": { symlink: "/etc/passwd" }, ...list(listed()) }),
      "UNSAFE_PATH",
      "it is a link out of the archive",
    ],
    [
      "a layer that is a symlink up and out",
      () => ({ ...files(), "one/layer.tar": { symlink: "../../../canary" }, ...list(listed()) }),
      "UNSAFE_PATH",
      "it is a link out of the archive",
    ],
    [
      "a layer that is a hard link out",
      () => ({ ...files(), "one/layer.tar": { link: "../canary" }, ...list(listed()) }),
      "UNSAFE_PATH",
      "it is a link out of the archive",
    ],
    [
      "symlinks in a circle",
      () => ({ ...files(), "one/layer.tar": { symlink: "../a.tar" }, "a.tar": { symlink: "one/layer.tar" }, ...list(listed()) }),
      "SYMLINK_LOOP",
      "too many symlinks",
    ],
    [
      "a symlink to nothing",
      () => ({ ...files(), "one/layer.tar": { symlink: "gone" }, ...list(listed()) }),
      "NOT_FOUND",
      '"one/gone" is not in it',
    ],
    [
      "an entry above the archive",
      () => ({ "../canary.json": { file: "x" }, ...list(listed()) }),
      "UNSAFE_PATH",
      'its name has ".." in it',
    ],
    [
      "an index.json without oci-layout",
      () => ({ ...files(), ...list(listed()), "index.json": { file: "{}" } }),
      "UNSUPPORTED_ARCHIVE",
      "it is neither an OCI archive",
    ],
    [
      "a layer that is no tar",
      () => ({ ...files(), "one/layer.tar": { file: "x".repeat(600) }, ...list(listed()) }),
      "INVALID_TAR",
      "this is no tar archive",
    ],
  ])("is refused, and leaves nothing: %s", async (_name, entries, code, message) => {
    writeFileSync(join(directory, "canary"), "alive");
    await expect(loadImages(store, { file: await archive(entries()) })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(await store.images.list()).toEqual([]);
    expect(readdirSync(join(store.root, "blobs/sha256"))).toEqual([]);
    expect(readFileSync(join(directory, "canary"), "utf8")).toBe("alive");
  });

  it("with one file twice is refused", async () => {
    const file = await archive(files());
    writeFileSync(join(directory, "canary"), "x");
    execFileSync("tar", ["-C", directory, "--append", "-f", file, "--transform", "s,^canary,one/layer.tar,", "canary"]);
    await expect(loadImages(store, { file })).rejects.toMatchObject({ code: "INVALID_ARCHIVE" });
  });

  it("is read as skopeo and podman write it", needs("skopeo"), async () => {
    const file = join(directory, "skopeo.tar");
    await mustRun(["skopeo", "--insecure-policy", "copy", "-q", `oci:${source.root}:app`, `docker-archive:${file}:app:v2`]);
    const [loaded] = await loadImages(store, { file });
    expect([loaded?.names, loaded?.layers.map(({ diffId }) => diffId)]).toEqual([["app:v2"], image.config.rootfs.diff_ids]);
    expect(loaded?.config.config?.Env).toEqual(["A=1"]);
  });
});

describe("docker", needs("dockerDaemon"), () => {
  it("loads what we save in every form, and what it saves is loaded here", async () => {
    await using daemon = await startDockerDaemon(temporaryDirectory("dockerd"));
    for (const options of [{}, { format: "docker" }, { format: "docker", layers: { compression: "gzip", compressionLevel: 1 } }] as const) {
      const file = join(directory, "saved.tar");
      await saveImages(source, [{ image, names: ["app:v1", "team/app:v2"] }], { file }, options);
      await daemon.docker("load", "-i", file);
      expect((await daemon.docker("inspect", "--format", "{{.Id}} {{json .RepoTags}}", "team/app:v2")).trim()).toBe(
        `${image.imageId} ["app:v1","team/app:v2"]`,
      );
      await daemon.docker("save", "-o", join(directory, "back.tar"), "app:v1", "team/app:v2");
      await daemon.docker("rmi", "app:v1", "team/app:v2");
    }
    const [loaded] = await loadImages(store, { file: join(directory, "back.tar") });
    expect([loaded?.imageId, loaded?.names]).toEqual([image.imageId, ["app:v1", "team/app:v2"]]);
  });
});

describe("podman", needs("root", "podman"), () => {
  it("loads what we save in every form, and what it saves is loaded here", async () => {
    const podman = podmanIn(temporaryDirectory("podman"));
    const at = (name: string) => join(directory, name);
    for (const [name, options] of [
      ["oci", { layers: { compression: "gzip" } }],
      ["docker", { format: "docker" }],
    ] as const) {
      await saveImages(source, [{ image, names: [`${name}.example/app:v1`] }], { file: at(`${name}.tar`) }, options);
      await podman("load", "-q", "-i", at(`${name}.tar`));
      const id = await podman("inspect", "--format", "{{.Id}}", `${name}.example/app:v1`);
      expect(id.trim()).toBe(hexOf(image.imageId));
      await podman("save", "-q", "--format", `${name}-archive`, "-o", at(`${name}-back.tar`), `${name}.example/app:v1`);
      const [loaded] = await loadImages(store, { file: at(`${name}-back.tar`) });
      expect([loaded?.names, loaded?.config.rootfs.diff_ids]).toEqual([[`${name}.example/app:v1`], image.config.rootfs.diff_ids]);
    }
  });
});
