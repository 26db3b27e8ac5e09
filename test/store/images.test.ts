import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { bytesOf } from "../../runtime-addon/index.ts";
import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import type { Image } from "../../store/images.ts";
import { decodeTree } from "../../store/layer/tree.ts";
import type { Descriptor } from "../../store/oci.ts";
import { openStore, type Store } from "../../store/store.ts";
import { verifyImage, verifyStore } from "../../store/verify.ts";
import { mustRun } from "../support/command.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { treeBytes } from "../support/tree-bytes.ts";
import { addLayer, configOf, putImage } from "./sample-image.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("images"), "store"));
  return () => store.close();
});

const layer = { "a/": "", "a/file": "content" };
const entries = (): Descriptor[] => JSON.parse(readFileSync(join(store.root, "index.json"), "utf8")).manifests;
const refNames = () => entries().map(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"]);

describe("put", () => {
  it("writes canonical config and manifest, and names the image for every tool", async () => {
    const image = await putImage(store, ["app", "host:5000/x/app:v1"], [layer, { b: "2" }], {
      created: "2024-01-02T03:04:05Z",
      config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
      history: [{ created_by: "one" }, { created_by: "env", empty_layer: true }, { created_by: "two" }],
    });
    expect(image.names).toEqual(["app", "host:5000/x/app:v1"]);
    const [one, two] = image.layers;
    expect([one?.history, two?.history]).toEqual([{ created_by: "one" }, { created_by: "two" }]);
    expect(image.rawConfig.toString()).toBe(
      `{"architecture":"amd64","config":{"Cmd":["sh"],"Env":["PATH=/bin"]},"created":"2024-01-02T03:04:05Z","history":[{"created_by":"one"},{"created_by":"env","empty_layer":true},{"created_by":"two"}],"os":"linux","rootfs":{"diff_ids":["${one?.diffId}","${two?.diffId}"],"type":"layers"}}`,
    );
    expect(image.rawManifest.toString()).toBe(
      `{"config":{"digest":"${image.imageId}","mediaType":"application/vnd.oci.image.config.v1+json","size":${image.rawConfig.length}},"layers":[${[one, two].map((item) => `{"digest":"${item?.diffId}","mediaType":"application/vnd.oci.image.layer.v1.tar","size":${item?.blob.size}}`).join(",")}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}`,
    );
    expect(image.imageId).toBe(digestOf(image.rawConfig));
    expect(image.descriptor.digest).toBe(digestOf(image.rawManifest));
    expect(entries()).toEqual(
      [
        ["app", "docker.io/library/app:latest"],
        ["host:5000/x/app:v1", "host:5000/x/app:v1"],
      ].map(([refName, imageName]) => ({
        ...image.descriptor,
        platform: { architecture: "amd64", os: "linux" },
        annotations: { "org.opencontainers.image.ref.name": refName, "io.containerd.image.name": imageName },
      })),
    );
    expect(await verifyStore(store)).toEqual([]);
  });

  it("writes nothing when all is there already", async () => {
    await putImage(store, ["app"], [layer]);
    const before = statSync(join(store.root, "index.json")).ino;
    await putImage(store, ["app"], [layer]);
    expect(statSync(join(store.root, "index.json")).ino).toBe(before);
  });

  it("gives the same image id and digest in any store", async () => {
    const one = await putImage(store, ["app"], [layer]);
    await using other = await openStore(join(temporaryDirectory("images"), "other"));
    const two = await putImage(other, ["other-name"], [layer]);
    expect([two.imageId, two.descriptor.digest]).toEqual([one.imageId, one.descriptor.digest]);
  });

  it("keeps an untagged image without a name, until it gets one", async () => {
    const image = await putImage(store, [], [layer]);
    expect([image.names, refNames()]).toEqual([[], [undefined]]);
    await putImage(store, [], [layer]);
    expect(refNames()).toEqual([undefined]);
    await putImage(store, ["app"], [layer]);
    expect(refNames()).toEqual(["app"]);
    await putImage(store, [], [layer]);
    expect(refNames()).toEqual(["app"]);
  });

  it("moves a name; the image that so loses its last leaves the list", async () => {
    const one = await putImage(store, ["app", "keep"], [{ f: "1" }]);
    await putImage(store, ["app"], [{ f: "2" }]);
    expect(refNames()).toEqual(["keep", "app"]);
    expect((await store.images.open("keep")).imageId).toBe(one.imageId);
    await putImage(store, ["app"], [{ f: "3" }]);
    expect(refNames()).toEqual(["keep", "app"]);
  });

  it("writes OCI's words for Docker's layer types", async () => {
    const info = await addLayer(store, layer);
    const blob = { ...info.blob, mediaType: "application/vnd.docker.image.rootfs.diff.tar" };
    const image = await store.images.put({ config: configOf([info]), layers: [blob], names: ["app"] });
    expect(image.layers[0]?.blob.mediaType).toBe("application/vnd.oci.image.layer.v1.tar");
  });

  it.each<[string, (image: { config: ReturnType<typeof configOf>; layers: Descriptor[] }) => object, string, string]>([
    [
      "without a layer's blob",
      (image) => ({ ...image, layers: [{ ...image.layers[0], digest: digestOf("gone") }] }),
      "NOT_FOUND",
      `its layer ${digestOf("gone")} is not in the store`,
    ],
    ["with a layer's size wrong", (image) => ({ ...image, layers: [{ ...image.layers[0], size: 5 }] }), "NOT_FOUND", "is not in the store"],
    [
      "with fewer layers than diffIds",
      (image) => ({ ...image, layers: [] }),
      "INVALID_DOCUMENT",
      "its manifest has 0 layers, its config 1",
    ],
    ["under a digest", (image) => ({ ...image, names: [`app@${digestOf("x")}`] }), "INVALID_REFERENCE", "a name cannot carry a digest"],
    ["under no valid name", (image) => ({ ...image, names: ["ok", "Not OK"] }), "INVALID_REFERENCE", "must be lower-case"],
  ])("refuses an image %s, and lists nothing", async (_, change, code, message) => {
    const info = await addLayer(store, layer);
    const image = { config: configOf([info]), layers: [info.blob], names: ["app"] };
    await expect(store.images.put({ ...image, ...change(image) })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(entries()).toEqual([]);
  });

  it("leaves the history out where it does not fit the layers", async () => {
    const image = await putImage(store, ["app"], [layer], { history: [{ created_by: "a" }, { created_by: "b" }] });
    expect(image.layers.map(({ history }) => history)).toEqual([undefined]);
  });

  it("takes a layer that repeats", async () => {
    const image = await putImage(store, ["app"], [layer, layer, layer]);
    expect(image.layers).toHaveLength(3);
    const [summary] = await store.images.list();
    expect(summary?.sizeBytes).toBe(image.layers[0]?.blob.size);
  });
});

describe("resolve", () => {
  let image: Image;
  let other: Image;
  beforeEach(async () => {
    image = await putImage(store, ["app", "host:5000/x:v1"], [layer]);
    other = await putImage(store, ["other"], [{ f: "other" }]);
  });
  const idOf = async (text: string) => (await store.images.resolve(text))?.imageId;

  it("finds an image by all that names it", async () => {
    const digest = image.descriptor.digest;
    const texts = [
      "app",
      "app:latest",
      "docker.io/library/app",
      "host:5000/x:v1",
      `app@${digest}`,
      `host:5000/x@${digest}`,
      `app:v9@${digest}`,
    ];
    const ids = [
      digest,
      hexOf(digest),
      image.imageId,
      hexOf(image.imageId),
      hexOf(image.imageId).slice(0, 12),
      `sha256:${hexOf(digest).slice(0, 20)}`,
    ];
    for (const text of [...texts, ...ids]) expect([text, await idOf(text)]).toEqual([text, image.imageId]);
    expect((await store.images.resolve(hexOf(digest).slice(0, 12)))?.names).toEqual(["app", "host:5000/x:v1"]);
  });

  it.each(["app:v1", "host:5000/x", "me/app", `app@${digestOf("x")}`, digestOf("x"), "0123", "x".repeat(64)])(
    "finds nothing for %s",
    async (text) => {
      expect(await store.images.resolve(text)).toBeUndefined();
    },
  );

  it("does not find a digest under a repository that is not its own", async () => {
    expect(await store.images.resolve(`app@${other.descriptor.digest}`)).toBeUndefined();
  });

  it("takes hex digits for a name first", async () => {
    const prefix = hexOf(image.imageId).slice(0, 6);
    await store.images.tag(other, prefix);
    expect(await idOf(prefix)).toBe(other.imageId);
    expect(await idOf(hexOf(image.imageId).slice(0, 7))).toBe(image.imageId);
  });

  it("lists the candidates of digits that begin more than one id", async () => {
    const byPrefix = new Map<string, Image>();
    let twins: [string, Image, Image] | undefined;
    for (let i = 0; twins === undefined; i++) {
      const info = image.layers.map(({ diffId, blob }) => ({ diffId, blob, contentId: diffId }));
      const next = await store.images.put({
        config: configOf(info, { author: String(i) }),
        layers: info.map(({ blob }) => blob),
        names: [`n${i}`],
      });
      for (const digest of [next.imageId, next.descriptor.digest]) {
        const prefix = hexOf(digest).slice(0, 4);
        const known = byPrefix.get(prefix);
        if (known !== undefined && known.imageId !== next.imageId) twins = [prefix, known, next];
        byPrefix.set(prefix, next);
      }
    }
    const [prefix, one, two] = twins;
    const candidates = [one, two].map(({ imageId, names }) => `${imageId} (${names[0]})`).sort();
    await expect(store.images.resolve(prefix)).rejects.toMatchObject({
      code: "AMBIGUOUS_IMAGE",
      message: `looking for image "${prefix}": 2 images begin so: ${candidates.join(", ")}`,
      hint: "give more digits, or a name",
    });
  });

  it("takes the one of one id whose layers are here", async () => {
    const [gone, here] = [await addLayer(store, { gone: "1" }), await addLayer(store, { here: "1" })];
    const config = configOf([here]);
    const first = await store.images.put({ config, layers: [gone.blob], names: ["first"] });
    const second = await store.images.put({ config, layers: [here.blob], names: ["second"] });
    rmSync(store.blobs.path(gone.blob.digest));
    expect(first.imageId).toBe(second.imageId);
    for (const id of [second.imageId, hexOf(second.imageId).slice(0, 12)]) expect((await store.images.open(id)).names).toEqual(["second"]);
  });

  it("says what was looked for, and where", async () => {
    await expect(store.images.open("me/app:v1")).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `looking for image "me/app:v1": no image named docker.io/me/app:v1 in the store ${store.root}`,
      hint: "tsbuild images lists what is there",
    });
    await expect(store.images.open("sha256:0123")).rejects.toMatchObject({
      message: expect.stringContaining("no image with digest or id 0123 in the store"),
    });
    await expect(store.images.open("UPPER")).rejects.toMatchObject({ code: "INVALID_REFERENCE" });
  });
});

describe("names", () => {
  it("are added, moved and taken away", async () => {
    const image = await putImage(store, ["app"], [layer]);
    await store.images.tag(image, "second:v1");
    expect((await store.images.open("second:v1")).names).toEqual(["app", "second:v1"]);
    expect(await store.images.untag("app")).toBe(true);
    expect(await store.images.untag("app")).toBe(false);
    expect((await store.images.open("second:v1")).names).toEqual(["second:v1"]);
    expect(await store.images.untag("second:v1")).toBe(true);
    expect(await store.images.list()).toEqual([]);
  });

  it("all go with the image", async () => {
    const image = await putImage(store, ["app", "b"], [layer]);
    await putImage(store, ["keep"], [{ f: "1" }]);
    await store.images.remove(image);
    expect(refNames()).toEqual(["keep"]);
  });
});

describe("list", () => {
  it("shows a damaged image as such, and the others", async () => {
    const image = await putImage(store, ["broken"], [layer], { author: "x" });
    await putImage(store, ["good"], [layer]);
    writeFileSync(store.blobs.path(image.imageId), Buffer.alloc(image.rawConfig.length, 0x20));
    const [broken, good] = await store.images.list();
    expect(broken).toMatchObject({ names: ["broken"], manifestDigest: image.descriptor.digest, imageId: undefined });
    expect(broken?.damage).toContain(`reading blob ${image.imageId}: expected ${image.imageId}, got `);
    expect(good).toMatchObject({ names: ["good"], platform: { os: "linux", architecture: "amd64" } });
    await expect(store.images.open("broken")).rejects.toMatchObject({ code: "INTEGRITY" });
    expect((await store.images.open("good")).names).toEqual(["good"]);
  });

  it("passes over what is no image, and keeps what other tools wrote beside", async () => {
    const config = await store.blobs.putBytes("application/vnd.cncf.helm.config.v1+json", Buffer.from("{}"));
    const manifest = { schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [] };
    const chart = await store.blobs.putBytes(manifest.mediaType, Buffer.from(JSON.stringify(manifest)));
    const odd = { ...chart, artifactType: "chart", annotations: { "org.opencontainers.image.ref.name": "My Chart", mine: "1" } };
    writeFileSync(join(store.root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [odd], annotations: { top: "kept" } }));
    expect(await store.images.list()).toEqual([]);
    await putImage(store, ["app"], [layer]);
    expect((await store.images.list()).map(({ names }) => names)).toEqual([["app"]]);
    const index = JSON.parse(readFileSync(join(store.root, "index.json"), "utf8"));
    expect([index.annotations, index.manifests[0]]).toEqual([{ top: "kept" }, odd]);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("opens this machine's image of an index of several platforms", async () => {
    const image = await putImage(store, [], [layer]);
    const foreign = { ...image.descriptor, digest: digestOf("absent"), platform: { os: "plan9", architecture: "mips" } };
    const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
    const index = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [foreign, { ...image.descriptor, platform }],
    };
    const blob = await store.blobs.putBytes(index.mediaType, Buffer.from(JSON.stringify(index)));
    const listed = { ...blob, annotations: { "org.opencontainers.image.ref.name": "multi" } };
    writeFileSync(join(store.root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [listed] }));
    const multi = await store.images.open("multi");
    expect(multi).toMatchObject({ names: ["multi"], imageId: image.imageId, listed: blob });
    await store.images.tag(multi, "more");
    expect((await store.images.open("more")).names).toEqual(["multi", "more"]);
    await store.images.remove(multi);
    expect(entries()).toEqual([]);
  });
});

describe("an index of several platforms", () => {
  const arm64 = { os: "linux", architecture: "arm64" } as const;
  const armV7 = { os: "linux", architecture: "arm", variant: "v7" } as const;
  const wanted = { amd64: { os: "linux", architecture: "amd64" }, arm64, armV7 } as const;

  async function putIndex(): Promise<ReadonlyMap<string, Image>> {
    const images = new Map<string, Image>();
    const { layers } = await putImage(store, [], [layer]);
    for (const [name, platform] of Object.entries(wanted)) {
      const config = { ...platform, rootfs: { type: "layers" as const, diff_ids: layers.map(({ diffId }) => diffId) } };
      images.set(name, await store.images.put({ config, layers: layers.map(({ blob }) => blob), names: [] }));
    }
    const manifests = [...images].map(([name, { descriptor }]) => ({ ...descriptor, platform: wanted[name as keyof typeof wanted] }));
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const blob = await store.blobs.putBytes(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
    const listed = { ...blob, annotations: { "org.opencontainers.image.ref.name": "multi" } };
    writeFileSync(join(store.root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [listed] }));
    return images;
  }

  it.each(Object.keys(wanted) as (keyof typeof wanted)[])("opens for the platform that is wanted: %s", async (name) => {
    const images = await putIndex();
    const opened = await store.images.open("multi", wanted[name]);
    expect(opened.imageId).toBe(images.get(name)?.imageId);
    expect((await store.images.resolve(opened.listed.digest, wanted[name]))?.imageId).toBe(opened.imageId);
  });

  it("says which platforms it has when none of them is wanted", async () => {
    await putIndex();
    await expect(store.images.open("multi", { os: "linux", architecture: "s390x" })).rejects.toMatchObject({
      code: "PLATFORM_NOT_FOUND",
      message: "opening image multi: it has linux/amd64, linux/arm64, linux/arm/v7, not linux/s390x",
    });
  });

  it("opens what is there where no platform is asked for, and says what is not", async () => {
    const images = await putIndex();
    const own = images.get(process.arch === "arm64" ? "arm64" : "amd64") as Image;
    const other = images.get(process.arch === "arm64" ? "amd64" : "arm64") as Image;
    rmSync(store.blobs.path(own.descriptor.digest));
    expect((await store.images.open("multi")).imageId).toBe(other.imageId);
    expect(await store.images.list()).toMatchObject([{ names: ["multi"], imageId: other.imageId }]);
    const { os, architecture } = own.config;
    expect(await store.images.resolve("multi", { os, architecture })).toBeUndefined();
    await expect(store.images.open("multi", { os, architecture })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `looking for image "multi": it is in the store ${store.root}, but not for ${os}/${architecture}`,
      hint: `tsbuild pull --platform ${os}/${architecture} multi`,
    });
    expect(await verifyStore(store)).toEqual([]);
  });

  it("is damaged when none of its platforms is there", async () => {
    for (const { descriptor } of (await putIndex()).values()) rmSync(store.blobs.path(descriptor.digest));
    expect(await store.images.resolve("multi")).toBeUndefined();
    expect(await store.images.list()).toMatchObject([
      { names: ["multi"], imageId: undefined, damage: "opening image multi: none of its platforms is in the store" },
    ]);
    expect(await verifyStore(store)).toMatchObject([
      { problem: expect.stringMatching(/^index sha256:\w+: none of what it lists is there$/) },
    ]);
  });

  it("is stored with the image, under names and its own digest only", async () => {
    const { layers, rawConfig, rawManifest, descriptor } = await putImage(store, ["plain"], [layer]);
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [{ ...descriptor, platform: wanted.amd64 }] }));
    const raw = { manifestType: descriptor.mediaType, rawManifest, rawConfig, indexes: [{ mediaType, bytes }] };
    const image = await store.images.putRaw({ ...raw, names: ["multi:v1", `multi:v2@${digestOf(bytes)}`] });
    expect(image).toMatchObject({ names: ["multi:v1"], layers, listed: { mediaType, digest: digestOf(bytes) } });
    expect(refNames()).toEqual(["plain", "multi:v1", `multi@${digestOf(bytes)}`]);
    expect((await store.images.open(`multi@${digestOf(bytes)}`, wanted.amd64)).names).toEqual(["multi:v1"]);
    await expect(store.images.putRaw({ ...raw, names: [`multi@${descriptor.digest}`] })).rejects.toMatchObject({
      code: "INVALID_REFERENCE",
      message: `naming an image "multi@${descriptor.digest}": a name cannot carry a digest`,
    });
  });

  it("is no matter where one image is listed alone", async () => {
    const image = await putImage(store, ["app"], [layer]);
    expect((await store.images.open("app", arm64)).imageId).toBe(image.imageId);
  });
});

describe("verifyImage", () => {
  it.each<[string, (image: Image) => void, (image: Image) => string[]]>([
    ["a whole image", () => undefined, () => []],
    [
      "changed bytes of a layer",
      (image) => overwrite(image.layers[0]?.blob.digest),
      (image) => [`reading blob ${image.layers[0]?.blob.digest}: expected ${image.layers[0]?.blob.digest}, got `],
    ],
    [
      "a missing layer and a changed config",
      (image) => {
        rmSync(store.blobs.path(image.layers[0]?.blob.digest as Digest));
        overwrite(image.imageId);
      },
      (image) => [`reading blob ${image.imageId}: expected `, `reading blob ${image.layers[0]?.blob.digest}: it is not in `],
    ],
    [
      "a missing manifest",
      (image) => rmSync(store.blobs.path(image.descriptor.digest)),
      (image) => [`reading blob ${image.descriptor.digest}: it is not in `],
    ],
    [
      "a tree that tells another story",
      (image) => {
        const tree = join(store.root, "v1/layers", hexOf(image.layers[0]?.diffId as Digest), "tree");
        const whole = decodeTree(readFileSync(tree));
        const entries = whole.entries.map((entry) => (entry.path === "a/file" ? { ...entry, path: bytesOf("a/FILE") } : entry));
        writeFileSync(tree, treeBytes({ ...whole, entries }));
      },
      (image) => [`layer[0] ${image.layers[0]?.blob.digest}: its tree's entry {"kind":"file","path":"a/FILE"`],
    ],
  ])("reports all of %s", async (_, damage, problems) => {
    const image = await putImage(store, ["app"], [layer]);
    damage(image);
    const found = await verifyImage(store, image);
    expect(found.map(({ image: name }) => name)).toEqual(problems(image).map(() => "app"));
    for (const [i, problem] of problems(image).entries()) expect(found[i]?.problem).toContain(problem);
  });

  function overwrite(digest: Digest | undefined): void {
    const path = store.blobs.path(digest as Digest);
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x20));
  }
});

describe("skopeo and umoci", needs("skopeo", "umoci"), () => {
  it("read the store as it is", async () => {
    const directory = temporaryDirectory("tools");
    const image = await putImage(
      store,
      ["app", "team/app:v2"],
      [
        { "etc/": "", "etc/a": "1", b: "2" },
        { b: null, c: "3" },
      ],
      {
        config: { Env: ["A=1"], Labels: { k: "v" } },
      },
    );
    for (const name of ["app", "team/app:v2"]) {
      const seen = JSON.parse(await mustRun(["skopeo", "inspect", `oci:${store.root}:${name}`]));
      expect(seen).toMatchObject({ Digest: image.descriptor.digest, Os: "linux", Architecture: "amd64", Env: ["A=1"], Labels: { k: "v" } });
    }
    expect(JSON.parse(await mustRun(["skopeo", "inspect", "--config", `oci:${store.root}:app`]))).toMatchObject({
      config: { Env: ["A=1"] },
    });
    await mustRun(["skopeo", "copy", `oci:${store.root}:app`, `dir:${directory}/copied`]);
    expect((await mustRun(["umoci", "list", "--layout", store.root])).trim().split("\n").sort()).toEqual(["app", "team/app:v2"]);
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await mustRun(["umoci", "unpack", ...rootless, "--image", `${store.root}:app`, join(directory, "bundle")]);
    expect((await mustRun(["find", join(directory, "bundle/rootfs"), "-type", "f", "-printf", "%P\n"])).trim().split("\n").sort()).toEqual([
      "c",
      "etc/a",
    ]);
  });

  it("put an image into the store that we then use", async () => {
    const directory = temporaryDirectory("tools");
    await mustRun(["umoci", "init", "--layout", join(directory, "layout")]);
    await mustRun(["umoci", "new", "--image", join(directory, "layout:base")]);
    await mustRun(["sh", "-c", "mkdir tree && echo hi > tree/hello && tar -cf layer.tar tree"], { cwd: directory });
    await mustRun(["umoci", "raw", "add-layer", "--image", join(directory, "layout:base"), join(directory, "layer.tar")]);
    await mustRun(["skopeo", "copy", `oci:${directory}/layout:base`, `oci:${store.root}:foreign:v1`]);
    const image = await store.images.open("foreign:v1");
    expect(image.layers).toHaveLength(1);
    for (const { diffId, blob } of image.layers) {
      await store.layers.ensure(diffId, blob);
      expect((await store.layers.tree(diffId)).entries.map(({ path }) => path)).toContain("tree/hello");
    }
    expect(await verifyStore(store)).toEqual([]);
  });
});
