import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { loadImages } from "../../../store/archive/load.ts";
import { saveImages } from "../../../store/archive/save.ts";
import { defaultLimits } from "../../../store/compression.ts";
import { type Digest, digestOf, hexOf } from "../../../store/digest.ts";
import type { Image } from "../../../store/images.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { output, putImage } from "../sample-image.ts";

/** An image layout that a test may bend before it is packed. */
interface Layout {
  readonly directory: string;
  write(name: string, content: string | Uint8Array): void;
  /** A blob, whose descriptor it returns. */
  blob(mediaType: string, content: string | Uint8Array): { mediaType: string; digest: Digest; size: number };
  index(...manifests: readonly object[]): void;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

let directory: string;
let source: Store;
let store: Store;
let image: Image;
let layout: Layout;
beforeEach(async () => {
  directory = temporaryDirectory("attack");
  source = await openStore(join(directory, "source"));
  store = await openStore(join(directory, "store"));
  image = await putImage(source, ["app"], [{ a: "content of a" }]);
  await saveImages(source, [{ image }], { directory: join(directory, "layout") });
  layout = layoutAt(join(directory, "layout"));
  writeFileSync(join(directory, "canary"), "alive");
  return async () => {
    await source.close();
    await store.close();
  };
});

function layoutAt(root: string): Layout {
  const write = (name: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  };
  return {
    directory: root,
    write,
    blob(mediaType, content) {
      const bytes = Buffer.from(content);
      const digest = digestOf(bytes);
      write(`blobs/sha256/${hexOf(digest)}`, bytes);
      return { mediaType, digest, size: bytes.length };
    },
    index: (...manifests) => write("index.json", JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests })),
  };
}

/** A layout's image with something changed in its config or layers. */
function bentImage(change: { config?: object; layers?: readonly object[]; manifest?: object }): object {
  const config = layout.blob(image.manifest.config.mediaType, JSON.stringify({ ...image.config, ...change.config }));
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: change.layers ?? image.manifest.layers,
    ...change.manifest,
  };
  return layout.blob(manifestType, JSON.stringify(manifest));
}

const layerPath = () => `blobs/sha256/${hexOf(image.layers[0]?.blob.digest as Digest)}`;
const layerBytes = () => readFileSync(join(layout.directory, layerPath()));

function pack(): string {
  const file = join(directory, "attack.tar");
  execFileSync("tar", ["-cf", file, "-C", layout.directory, "."]);
  return file;
}

async function refusal(load: { file: string } | { directory: string }, limits = defaultLimits): Promise<unknown> {
  const before = readdirSync(store.root, { recursive: true }).sort();
  const error = await loadImages(store, load, { limits }).then(
    () => undefined,
    (refused: unknown) => refused,
  );
  const lease = (name: string | Buffer) => /^v1\/(tmp|leases)\/[^/]+$/.test(String(name));
  const after = readdirSync(store.root, { recursive: true })
    .filter((name) => !lease(name))
    .sort();
  expect(after, "something of a refused archive was left").toEqual(before.filter((name) => !lease(name)));
  expect(readFileSync(join(directory, "canary"), "utf8"), "A FILE OUTSIDE THE STORE WAS CHANGED").toBe("alive");
  return error;
}

const attacks: readonly (readonly [name: string, bend: () => void, code: string, message: () => string])[] = [
  [
    "a layer of other bytes",
    () => layout.write(layerPath(), layerBytes().reverse()),
    "INTEGRITY",
    () => `expected ${image.layers[0]?.blob.digest}, got `,
  ],
  ["a layer cut short", () => layout.write(layerPath(), layerBytes().subarray(0, 600)), "INTEGRITY", () => "expected "],
  [
    "a missing layer",
    () => execFileSync("rm", [join(layout.directory, layerPath())]),
    "NOT_FOUND",
    () => `blob ${image.layers[0]?.blob.digest} is not in it`,
  ],
  [
    "a missing config",
    () => execFileSync("rm", [join(layout.directory, `blobs/sha256/${hexOf(image.imageId)}`)]),
    "NOT_FOUND",
    () => `blob ${image.imageId} is not in it`,
  ],
  [
    "a missing manifest",
    () => layout.index({ mediaType: manifestType, digest: digestOf("gone"), size: 4 }),
    "NOT_FOUND",
    () => `blob ${digestOf("gone")} is not in it`,
  ],
  [
    "a size that lies",
    () => layout.index({ ...image.descriptor, size: image.descriptor.size + 1 }),
    "INTEGRITY",
    () => `${image.descriptor.size + 1}`,
  ],
  [
    "a layer that is not what the config says",
    () => layout.index(bentImage({ config: { rootfs: { type: "layers", diff_ids: [digestOf("other")] } } })),
    "INTEGRITY",
    () => `its plain tar: expected ${digestOf("other")}, got ${image.layers[0]?.diffId}`,
  ],
  [
    "more layers than diffIds",
    () => layout.index(bentImage({ layers: [...image.manifest.layers, ...image.manifest.layers] })),
    "INVALID_DOCUMENT",
    () => "its manifest has 2 layers, its config 1",
  ],
  [
    "one layer under two diffIds",
    () =>
      layout.index(
        bentImage({
          config: { rootfs: { type: "layers", diff_ids: [image.layers[0]?.diffId, digestOf("x")] } },
          layers: [...image.manifest.layers, ...image.manifest.layers],
        }),
      ),
    "INVALID_DOCUMENT",
    () => `its config says ${digestOf("x")}`,
  ],
  [
    "a manifest that is an index too",
    () => layout.index(bentImage({ manifest: { manifests: [] } })),
    "INVALID_DOCUMENT",
    () => "it is a manifest and something else at once",
  ],
  [
    "a digest that is a path",
    () => layout.index({ mediaType: manifestType, digest: "sha256:../../../canary", size: 5 }),
    "INVALID_DOCUMENT",
    () => 'manifests[0].digest "sha256:../../../canary" is not sha256:<64 hex digits>',
  ],
  [
    "a manifest of 5 MiB",
    () => layout.index(layout.blob(manifestType, " ".repeat(5 << 20))),
    "TOO_LARGE",
    () => "5242880 bytes are more than the 4194304 allowed here",
  ],
  ["no images", () => layout.index(), "NO_IMAGES", () => "its index.json lists no image"],
  [
    "an artifact that is no image",
    () => layout.index(bentImage({ manifest: { config: layout.blob("application/x", "{}") } })),
    "NOT_AN_IMAGE",
    () => "it is an artifact of type application/x, no image",
  ],
  [
    "other platforms only",
    () =>
      layout.index(
        ...["arm64", "s390x"].map((architecture, i) => ({
          ...(bentImage({ config: { author: String(i) } }) as object),
          annotations: { "org.opencontainers.image.ref.name": "app" },
          platform: { os: "plan9", architecture },
        })),
      ),
    "PLATFORM_NOT_FOUND",
    () => "reading image app: it is for plan9/arm64, plan9/s390x, not linux/",
  ],
  [
    "indexes in indexes in indexes",
    () => {
      let entry: object = image.descriptor;
      for (let i = 0; i < 5; i++)
        entry = layout.blob(indexType, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [entry] }));
      layout.index(entry);
    },
    "INVALID_DOCUMENT",
    () => "more than 3 levels of indexes",
  ],
  [
    "a layer that leaves its root",
    () => {
      const tar = output(["tar", "--create", "--absolute-names", "--transform", "s,.*,../../escape,", join(directory, "canary")]);
      const blob = layout.blob(image.layers[0]?.blob.mediaType ?? "", tar);
      layout.index(bentImage({ config: { rootfs: { type: "layers", diff_ids: [blob.digest] } }, layers: [blob] }));
    },
    "UNSAFE_PATH",
    () => "../../escape",
  ],
  ["no oci-layout", () => execFileSync("rm", [join(layout.directory, "oci-layout")]), "", () => "oci-layout"],
  [
    "an oci-layout of the future",
    () => layout.write("oci-layout", '{"imageLayoutVersion":"9"}'),
    "STORE_DAMAGED",
    () => 'image layout version "9" is not 1.0.0',
  ],
  ["an index.json that is none", () => layout.write("index.json", "[]"), "INVALID_DOCUMENT", () => "it is no JSON object"],
];

describe("load refuses, and leaves nothing of", () => {
  it.each(attacks)("%s (archive)", async (_, bend, code, message) => {
    bend();
    const error = await refusal({ file: pack() });
    expect(error).toMatchObject({ message: expect.stringContaining(message()) });
    if (code !== "") expect(error).toHaveProperty("code", code);
  });

  it.each(attacks)("%s (directory)", async (_, bend, code, message) => {
    bend();
    const error = await refusal({ directory: layout.directory });
    expect(error).toMatchObject({ message: expect.stringContaining(message()) });
    if (code !== "") expect(error).toHaveProperty("code", code);
  });

  const byTar = (...args: readonly string[]) => {
    const file = join(directory, "attack.tar");
    execFileSync("tar", ["--create", "--file", file, "-C", layout.directory, ...args]);
    return file;
  };
  it.each<[name: string, make: () => string, code: string, message: string]>([
    [
      "an entry above the archive",
      () => byTar("--absolute-names", "--transform", "s,^index.json,../canary,", "index.json"),
      "UNSAFE_PATH",
      'entry "../canary": its name has ".." in it',
    ],
    [
      "an entry above, behind a good beginning",
      () => byTar("--absolute-names", "--transform", "s,^index.json,blobs/../../canary,", "oci-layout", "index.json"),
      "UNSAFE_PATH",
      'its name has ".." in it',
    ],
    [
      "an absolute entry",
      () => byTar("--absolute-names", "--transform", `s,^index.json,${directory}/canary,`, "index.json"),
      "UNSAFE_PATH",
      "its name is absolute",
    ],
    [
      "a symlink in a blob's place",
      () => {
        symlinkSync("/etc/passwd", join(layout.directory, "link"));
        return byTar("--transform", `s,^link$,${layerPath()},`, "oci-layout", "index.json", "link");
      },
      "UNSAFE_PATH",
      "it is a link or a device",
    ],
    [
      "two lists of images",
      () => byTar("--hard-dereference", "oci-layout", "index.json", "index.json"),
      "INVALID_ARCHIVE",
      "index.json is in it twice",
    ],
    [
      "one blob twice",
      () => byTar("--hard-dereference", "oci-layout", "index.json", layerPath(), layerPath()),
      "INVALID_ARCHIVE",
      "is in it twice",
    ],
    [
      "a blob by another hash",
      () => {
        layout.write(`blobs/sha512/${"a".repeat(128)}`, "x");
        return byTar("oci-layout", "blobs/sha512");
      },
      "UNSUPPORTED_DIGEST",
      `blob "sha512:${"a".repeat(128)}" is not named by a sha256 digest`,
    ],
    [
      "an index.json of 5 MiB",
      () => {
        layout.write("index.json", " ".repeat(5 << 20));
        return byTar("oci-layout", "index.json");
      },
      "TOO_LARGE",
      "reading index.json: it is longer than 4194304 bytes",
    ],
    [
      "an archive cut short",
      () => {
        const file = byTar(".");
        writeFileSync(file, readFileSync(file).subarray(0, 2000));
        return file;
      },
      "INVALID_TAR",
      "the archive ends inside an entry",
    ],
    [
      "a gzip archive cut short",
      () => {
        const file = byTar(".");
        writeFileSync(file, gzipSync(readFileSync(file)).subarray(0, 300));
        return file;
      },
      "INVALID_COMPRESSION",
      "unexpected end of file",
    ],
    [
      "what is no tar at all",
      () => {
        writeFileSync(join(directory, "attack.tar"), Buffer.alloc(5000, "hello "));
        return join(directory, "attack.tar");
      },
      "INVALID_TAR",
      "this is no tar archive",
    ],
    [
      "nothing",
      () => {
        writeFileSync(join(directory, "attack.tar"), "");
        return join(directory, "attack.tar");
      },
      "UNSUPPORTED_ARCHIVE",
      "it is neither an OCI archive (index.json and oci-layout) nor one of docker save (manifest.json)",
    ],
    [
      "the tar of a root file system",
      () => byTar("--transform", "s,^index.json,etc/passwd,", "index.json"),
      "UNSUPPORTED_ARCHIVE",
      "it is neither an OCI archive (index.json and oci-layout) nor one of docker save (manifest.json)",
    ],
  ])("%s", async (_, make, code, message) => {
    const file = make();
    const error = await refusal({ file });
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(`loading ${file}: `) });
  });

  it.each<[name: string, place: (path: string) => void]>([
    ["a symlink to a file of the host", (path) => symlinkSync("/etc/passwd", path)],
    ["a FIFO, which would never end", (path) => execFileSync("mkfifo", [path])],
    ["a directory", (path) => mkdirSync(path)],
  ])("a directory with %s in a blob's place", async (_, place) => {
    const path = join(layout.directory, layerPath());
    execFileSync("rm", [path]);
    place(path);
    expect(await refusal({ directory: layout.directory })).toMatchObject({
      code: "UNSAFE_PATH",
      message: `reading ${path}: it is no regular file`,
    });
  });

  it("a missing file and a missing directory", async () => {
    const file = join(directory, "none.tar");
    expect(await refusal({ file })).toMatchObject({ code: "NOT_FOUND", message: `loading ${file}: there is no such file or directory` });
    expect(await refusal({ directory: join(directory, "none") })).toMatchObject({ code: "NOT_FOUND" });
  });

  it("a layer that is a compression bomb", needs("zstd"), async () => {
    const blob = layout.blob("application/vnd.oci.image.layer.v1.tar+zstd", output(["zstd", "-qc", "-19"], Buffer.alloc(64 << 20)));
    layout.index(bentImage({ layers: [blob] }));
    const error = await refusal({ file: pack() }, { ...defaultLimits, freeBytes: 1 << 20 });
    expect(error).toMatchObject({ code: "TOO_LARGE", message: expect.stringContaining("(a compression bomb)") });
  });
});

describe("load takes", () => {
  it("this machine's image out of an index, without BuildKit's attestations", async () => {
    const mine = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
    const foreign = bentImage({ config: { author: "foreign" } });
    const attestation = bentImage({ config: { author: "attestation" } });
    const manifests = [
      { ...foreign, platform: { os: "linux", architecture: "s390x" } },
      { ...image.descriptor, platform: mine },
      {
        ...attestation,
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      },
    ];
    const index = layout.blob(indexType, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
    layout.index({
      ...index,
      annotations: { "io.containerd.image.name": "docker.io/me/multi:v1", "org.opencontainers.image.ref.name": "v1" },
    });
    const [loaded, ...rest] = await loadImages(store, { file: pack() });
    expect([loaded?.imageId, loaded?.names, rest]).toEqual([image.imageId, ["me/multi:v1"], []]);
    expect(existsSync(store.blobs.path((foreign as { digest: Digest }).digest))).toBe(false);
  });

  it.each<[string, (bytes: Buffer) => Uint8Array]>([
    ["of other bytes", (bytes) => Buffer.from(bytes).reverse()],
    ["cut short", (bytes) => bytes.subarray(0, 100)],
  ])("this machine's image beside one of another platform whose manifest is %s", async (_, damage) => {
    const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
    const foreign = bentImage({ config: { author: "foreign" } }) as { digest: Digest };
    const path = `blobs/sha256/${hexOf(foreign.digest)}`;
    layout.write(path, damage(readFileSync(join(layout.directory, path))));
    const named = { annotations: { "org.opencontainers.image.ref.name": "docker.io/me/multi:v1" } };
    const other = { os: "linux", architecture: "s390x" };
    layout.index({ ...foreign, platform: other, ...named }, { ...image.descriptor, platform, ...named });
    for (const from of [{ directory: layout.directory }, { file: pack() }]) {
      const notes: string[] = [];
      const onNote = (message: string) => notes.push(message);
      const [loaded] = await loadImages(store, from, { onNote });
      expect(loaded?.imageId).toBe(image.imageId);
      expect(notes).toEqual(["me/multi:v1: linux/s390x is left out: --platform linux/s390x takes it instead"]);
      await expect(loadImages(store, from, { platform: other })).rejects.toMatchObject({ code: "INTEGRITY" });
    }
  });

  it("nothing out of an archive that has a damaged blob twice", async () => {
    layout.blob(manifestType, "whole");
    const damaged = `blobs/sha256/${hexOf(digestOf("whole"))}`;
    layout.write(damaged, "torn");
    const file = pack();
    execFileSync("tar", ["-rf", file, "-C", layout.directory, damaged]);
    await expect(loadImages(store, { file })).rejects.toMatchObject({ code: "INVALID_ARCHIVE" });
  });

  it("an image beside others that no platform asks for, and advises none", async () => {
    const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
    const nowhere = bentImage({ config: { author: "of no platform" } }) as { digest: Digest };
    const second = bentImage({ config: { author: "second of its platform" } }) as { digest: Digest };
    const named = { annotations: { "org.opencontainers.image.ref.name": "docker.io/me/multi:v1" } };
    layout.index({ ...image.descriptor, platform, ...named }, { ...nowhere, ...named }, { ...second, platform, ...named });
    const notes: string[] = [];
    const onNote = (message: string) => notes.push(message);
    expect((await loadImages(store, { directory: layout.directory }, { onNote })).map(({ imageId }) => imageId)).toEqual([image.imageId]);
    expect(notes).toEqual([
      `me/multi:v1: ${nowhere.digest} is left out`,
      `me/multi:v1: ${platform.os}/${platform.architecture} is left out`,
    ]);
  });

  it("one image of another platform where there is no choice", async () => {
    layout.index({ ...(bentImage({ config: { architecture: "s390x" } }) as object), platform: { os: "linux", architecture: "s390x" } });
    const [loaded] = await loadImages(store, { file: pack() });
    expect(loaded?.config.architecture).toBe("s390x");
  });

  it("an image whose name no image can have, without it", async () => {
    layout.index({ ...image.descriptor, annotations: { "org.opencontainers.image.ref.name": "My Image!" } });
    expect((await loadImages(store, { file: pack() })).map(({ names }) => names)).toEqual([[]]);
  });
});

it("tells of an index of 2,000 platforms under 50 names in 51 lines", async () => {
  const manifests = Array.from({ length: 2000 }, (_, i) => ({
    ...image.descriptor,
    ...(i === 0 ? {} : { digest: digestOf(`${i}`) }),
    platform: i === 0 ? { os: "linux", architecture: "amd64" } : { os: "linux", architecture: "amd64", "os.features": [`f${i}`] },
  }));
  const index = layout.blob(indexType, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  layout.index(...Array.from({ length: 50 }, (_, i) => ({ ...index, annotations: { "org.opencontainers.image.ref.name": `app:${i}` } })));
  const notes: string[] = [];
  const amd64 = { os: "linux", architecture: "amd64" };
  const [loaded] = await loadImages(store, { directory: layout.directory }, { platform: amd64, onNote: (note) => notes.push(note) });
  expect(loaded?.names).toHaveLength(50);
  expect(notes).toHaveLength(51);
  expect(notes.at(-1)).toBe(`… and ${50 * 1999 - 50} more`);
});
