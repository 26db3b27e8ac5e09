import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { BuildOptions, BuildOutput } from "../../builder/options.ts";
import { loadImages } from "../../store/archive/load.ts";
import { mediaTypes } from "../../store/oci.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { output } from "../store/sample-image.ts";
import { contextDirectory } from "../support/context.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let directory: string;
const at = (name: string) => join(directory, name);
beforeEach(() => {
  directory = temporaryDirectory("outputs");
});

const dockerfile = `FROM scratch AS base
COPY a /etc/a
FROM base AS web
COPY b /b
ENV WEB=1
FROM base AS worker
COPY c /c
`;

function buildTo(outputs: NonNullable<BuildOptions["outputs"]>, options: Partial<BuildOptions> = {}) {
  const context = contextDirectory({ Dockerfile: dockerfile, a: "1", b: "2", c: "3" });
  return build({ context, store: at("store"), target: "web", outputs, ...options });
}

async function loaded(file: string) {
  await using store = await openStore(at("loaded"));
  const images = await loadImages(store, { file });
  expect(await verifyStore(store)).toEqual([]);
  return images;
}

describe("outputs that cannot be written", () => {
  const file = (name: string) => ({ to: { file: at(name) } });
  it.each<[name: string, output: () => BuildOutput, message: string]>([
    ["an OCI archive", () => ({ type: "oci", ...file("no/a.tar") }), "saving to DIR/no/a.tar: there is no directory DIR/no"],
    ["a layout", () => ({ type: "oci", to: { directory: at("full") } }), "saving to DIR/full: the directory is not empty"],
    ["an archive for docker load", () => ({ type: "docker", ...file("full") }), "saving to DIR/full: it is a directory"],
    ["a tar", () => ({ type: "tar", ...file("file/a.tar") }), "exporting to DIR/file/a.tar: DIR/file is no directory"],
    ["files", () => ({ type: "local", directory: at("file") }), "exporting to DIR/file: it is no directory"],
  ])("%s: nothing is begun", async (_name, output, message) => {
    mkdirSync(at("full/inside"), { recursive: true });
    writeFileSync(at("file"), "");
    const before = readdirSync(directory, { recursive: true });
    const events: string[] = [];
    const failing = buildTo([{ type: "image" }, output()], { onEvent: ({ type }) => void events.push(type) });
    await expect(failing).rejects.toMatchObject({ message: message.replaceAll("DIR", directory) });
    expect([events, readdirSync(directory, { recursive: true })]).toEqual([[], before]);
  });
});

describe("outputs to files", () => {
  it("are an OCI archive, an archive for docker load, a layout, a tar and a directory of one build", async () => {
    const result = await buildTo(
      [
        { type: "oci", to: { file: at("oci.tar") } },
        { type: "oci", to: { directory: at("layout") }, compression: "none" },
        { type: "docker", to: { file: at("docker.tar") } },
        { type: "tar", to: { file: at("root.tar") } },
        { type: "local", directory: at("root") },
      ],
      { tags: ["app:v1", "app:v2"], annotations: { "org.example.a": "b" } },
    );
    const [oci = expect.fail("no image")] = await loaded(at("oci.tar"));
    expect([oci.imageId, oci.names, oci.manifest.annotations]).toEqual([result.imageId, ["app:v1", "app:v2"], { "org.example.a": "b" }]);
    expect(oci.layers.map(({ blob }) => blob.mediaType)).toEqual([mediaTypes.layerGzip, mediaTypes.layerGzip]);
    const [docker] = await loaded(at("docker.tar"));
    expect([docker?.imageId, docker?.layers.map(({ blob }) => blob.mediaType)]).toEqual([
      result.imageId,
      [mediaTypes.layer, mediaTypes.layer],
    ]);
    expect(readdirSync(at("layout")).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
    expect(output(["tar", "-tf", at("root.tar")]).toString()).toBe("b\netc/\netc/a\n");
    expect(readdirSync(at("root"), { recursive: true }).sort()).toEqual(["b", "etc", "etc/a"]);
    // No output names anything in the store.
    await using store = await openStore(at("store"));
    expect(await store.images.list()).toEqual([]);
  });

  it("say the manifest's digest as the archive has it, and the same as the store's where it is the same", async () => {
    const archived = await buildTo([{ type: "oci", to: { file: at("oci.tar") }, compression: "none" }]);
    const [image] = await loaded(at("oci.tar"));
    expect(archived.manifestDigest).toBe(image?.descriptor.digest);
    expect((await buildTo([{ type: "image" }])).manifestDigest).toBe(archived.manifestDigest);
  });

  it("have neither a manifest nor names where they are files alone, and a warning says so", async () => {
    const warnings: string[] = [];
    const onEvent: BuildOptions["onEvent"] = (event) => void (event.type === "warning" && warnings.push(event.message));
    const outputs = [
      { type: "local", directory: at("alone") },
      { type: "tar", to: { file: at("alone.tar") } },
    ] as const;
    const { names, ...built } = await buildTo(outputs, { tags: ["app:v1"], onEvent });
    expect([names, "manifestDigest" in built]).toEqual([[], false]);
    expect(warnings).toEqual(["names that nothing bears, since no output has an image: app:v1"]);
    const both = await buildTo([...outputs, { type: "oci", to: { file: at("beside.tar") } }], { tags: ["app:v1"], onEvent });
    expect([both.names, both.manifestDigest, warnings.length]).toEqual([["app:v1"], expect.stringMatching(/^sha256:/), 1]);
  });

  it("have the names of their own build, not of earlier ones with the same content", async () => {
    await buildTo([{ type: "image" }], { tags: ["first:1"] });
    const { names } = await buildTo([{ type: "image" }], { tags: ["second:1", "docker.io/library/second:1", "third"] });
    expect(names).toEqual(["second:1", "third"]);
  });

  it("hold several targets: images in one archive, files in a folder each", async () => {
    const tags = ["web=app:web", "worker=app:worker"];
    const outputs = [
      { type: "docker", to: { file: at("both.tar") } },
      { type: "tar", to: { file: at("files.tar") } },
      { type: "local", directory: at("files") },
    ] as const;
    const { images } = await buildTo(outputs, { target: ["web", "worker"], tags });
    const found = await loaded(at("both.tar"));
    expect(found.map(({ imageId, names }) => [imageId, names])).toEqual(images.map(({ imageId, names }) => [imageId, names]));
    expect(
      output(["tar", "-tf", at("files.tar")])
        .toString()
        .trim()
        .split("\n"),
    ).toEqual(["web/", "web/b", "web/etc/", "web/etc/a", "worker/", "worker/c", "worker/etc/", "worker/etc/a"]);
    expect(
      readdirSync(at("files"), { recursive: true })
        .filter((name) => /\/[bc]$/.test(String(name)))
        .sort(),
    ).toEqual(["web/b", "worker/c"]);
  });

  it("may be a stream, which is ended", async () => {
    const stream = new PassThrough();
    const building = buildTo([{ type: "oci", to: { stream }, compression: "gzip", compressionLevel: 1, annotations: { x: "y" } }]);
    await using store = await openStore(at("streamed"));
    const [image] = await loadImages(store, { stream });
    expect([image?.imageId, image?.manifest.annotations]).toEqual([(await building).imageId, { x: "y" }]);
  });

  it("bring what is missing of a base from its registry, in the form that it has there", async () => {
    await using registry = await startFakeRegistry();
    registry.putImage("base", "1", await fakeImage({ layers: [{ from: "base" }] }));
    const context = contextDirectory({ Dockerfile: `FROM ${registry.host}/base:1\nCOPY a /a\n`, a: "1" });
    const outputs = [
      { type: "oci", to: { file: at("oci.tar") }, compression: "none" },
      { type: "tar", to: { file: at("root.tar") } },
    ] as const;
    const { imageId } = await build({ context, store: at("store"), outputs });
    const [image = expect.fail("no image")] = await loaded(at("oci.tar"));
    expect(image.imageId).toBe(imageId);
    expect(image.layers.map(({ blob }) => blob.mediaType)).toEqual([mediaTypes.layerGzip, mediaTypes.layer]);
    expect(output(["tar", "-tf", at("root.tar")]).toString()).toBe("a\nfrom\n");
  });

  it("are none for the cache only, and a failed one changes no name", async () => {
    const { imageId } = await buildTo([{ type: "cacheonly" }], { tags: ["app"] });
    await using store = await openStore(at("store"));
    expect(await store.images.list()).toEqual([]);
    const failing = buildTo([{ type: "image" }, { type: "tar", to: { file: at("no/such/directory/root.tar") } }], { tags: ["app"] });
    await expect(failing).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect(await store.images.list()).toEqual([]);
    expect((await buildTo([{ type: "image" }], { tags: ["app"] })).imageId).toBe(imageId);
    expect(readFileSync(at("store/index.json"), "utf8")).toContain("app");
  });
});
