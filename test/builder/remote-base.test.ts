import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { BuildOptions } from "../../builder/options.ts";
import type { BuildEvent } from "../../builder/progress/event.ts";
import { defaultRegistrySettings } from "../../store/registry/settings.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout } from "../support/layout.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryPath } from "../support/temporary.ts";

const base = await fakeImage({
  layers: [{ "etc/passwd": "app:x:7:8::/:/bin/sh\n", "etc/group": "app:x:8:\n" }, { "data/file": "from the base" }],
  config: { Env: ["FROM_BASE=1"] },
});
const newer = await fakeImage({ layers: [{ "etc/passwd": "" }], config: { Env: ["FROM_BASE=2"] } });
const [layerOne = "", layerTwo = ""] = (JSON.parse(base.bytes.toString()) as { layers: { digest: string }[] }).layers.map(
  ({ digest }) => digest,
);

async function registryWithBase(): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  registry.putImage("team/base", "1", base);
  return registry;
}

/** Requests since the last look, without the noise of paths: "manifest 1", "blob sha256:…". */
function asked(registry: FakeRegistry): string[] {
  return registry
    .takeLog()
    .filter((line) => line.endsWith(" 200"))
    .map((line) => line.replace(/^(GET|HEAD) \/v2\/team\/base\/(manifest|blob)s\/(\S+) 200$/, "$1 $2 $3"));
}

async function buildIn(
  store: string,
  dockerfile: string,
  options: Partial<BuildOptions> = {},
  files: Record<string, string> = { f: "text" },
) {
  const events: BuildEvent[] = [];
  const context = contextDirectory({ ...files, Dockerfile: dockerfile });
  const result = await build({ context, store, tags: ["app"], onEvent: (event) => void events.push(event), ...options });
  return { ...result, events };
}

describe("a base image in a registry", () => {
  it("is known by its manifest and config alone, as long as no step looks at it", async () => {
    await using registry = await registryWithBase();
    const store = temporaryPath("store");
    const dockerfile = `FROM ${registry.host}/team/base:1\nENV OWN=1\nCOPY --link --chown=1:2 f /f\nCMD ["x"]\n`;
    const name = `${registry.host}/team/app:1`;
    const result = await buildIn(store, dockerfile, { tags: [name], outputs: [{ type: "registry" }] });
    const blobs = registry.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/sha256:"));
    expect(blobs.map(({ path }) => path)).toEqual([expect.stringContaining(JSON.parse(base.bytes.toString()).config.digest)]);
    // The base's layers were mounted from its repository: none of their bytes moved.
    const app = registry.content.repository("team/app");
    const pushed = JSON.parse(app.manifests.get(result.manifestDigest ?? "")?.bytes.toString() ?? "{}");
    expect(pushed.layers.map(({ digest }: { digest: string }) => digest).slice(0, 2)).toEqual([layerOne, layerTwo]);
    expect(registry.requests.filter(({ method, query }) => method === "POST" && "mount" in query).map(({ query }) => query.mount)).toEqual(
      expect.arrayContaining([layerOne, layerTwo]),
    );
    expect([...app.blobs.keys()]).toEqual(expect.arrayContaining([layerOne, layerTwo]));
    // Nothing of it is an image of the store, which is whole.
    expect(checkLayout(store)).toEqual({ names: [], damage: [] });
  });

  it.each<[name: string, dockerfile: (base: string) => string, outputs: NonNullable<BuildOptions["outputs"]>]>([
    ["no step looks at", (from) => `FROM ${from}\nCOPY --link --chown=1:2 f /f\n`, [{ type: "registry" }]],
    ["a step looks at", (from) => `FROM ${from}\nCOPY --chown=app f /data/\n`, [{ type: "registry" }]],
    ["the store has whole", (from) => `FROM ${from}\nCOPY --chown=app f /data/\n`, [{ type: "image" }, { type: "registry" }]],
  ])("whose layers are plain keeps them when it is pushed: what %s", async (_name, dockerfile, outputs) => {
    await using registry = await registryWithBase();
    await using elsewhere = await startFakeRegistry();
    const plain = await fakeImage({ layers: [{ "etc/passwd": "app:x:7:8::/:/bin/sh\n", "etc/group": "app:x:8:\n" }], compression: "none" });
    registry.putImage("team/plain", "1", plain);
    const store = temporaryPath("store");
    // At the second time everything is remembered.
    for (const host of [registry.host, elsewhere.host]) {
      const result = await buildIn(store, dockerfile(`${registry.host}/team/plain:1`), { tags: [`${host}/team/app:1`], outputs });
      const { content } = host === registry.host ? registry : elsewhere;
      const pushed = JSON.parse(
        content
          .repository("team/app")
          .manifests.get(result.manifestDigest ?? "")
          ?.bytes.toString() ?? "{}",
      );
      expect(pushed.layers.map(({ mediaType }: { mediaType: string }) => mediaType)).toEqual([
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
      ]);
      expect(pushed.layers[0].digest).toBe(JSON.parse(plain.bytes.toString()).layers[0].digest);
    }
  });

  it("is remembered: the next build asks nobody, and knows the same steps", async () => {
    await using registry = await registryWithBase();
    const store = temporaryPath("store");
    const dockerfile = `FROM ${registry.host}/team/base:1\nCOPY f /data/\n`;
    const first = await buildIn(store, dockerfile);
    registry.takeLog();
    const second = await buildIn(store, dockerfile);
    expect(registry.takeLog()).toEqual([]);
    const said = second.events.flatMap((event) => (event.type === "step-end" && event.step === 1 ? [event.note] : []));
    expect(said).toEqual([`${registry.host}/team/base@${base.digest}`]);
    expect([second.cachedSteps, second.totalSteps, second.imageId]).toEqual([1, 1, first.imageId]);
  });

  it("is fetched and indexed, but not unpacked, for a COPY; the image in the store is whole", async () => {
    await using registry = await registryWithBase();
    const store = temporaryPath("store");
    await buildIn(store, `FROM ${registry.host}/team/base:1\nCOPY --chown=app f /data/\n`);
    await using opened = await openStore(store);
    expect(await verifyStore(opened)).toEqual([]);
    const { layers, config } = await opened.images.open("app");
    expect(layers.slice(0, 2).map(({ blob }) => blob.digest)).toEqual([layerOne, layerTwo]);
    expect(config.config?.Env).toContain("FROM_BASE=1");
    for (const { diffId } of layers) expect(opened.layers.hasDirectory(diffId, "exact")).toBe(false);
    const tree = await opened.layers.tree(layers[2]?.diffId ?? layers[0]?.diffId ?? ("" as never));
    expect(tree.entries.find((entry) => entry.path === "data/f")).toMatchObject({ uid: 7, gid: 8 });
  });

  it("may be what COPY --from reads", async () => {
    await using registry = await registryWithBase();
    const store = temporaryPath("store");
    await buildIn(store, `FROM scratch\nCOPY --from=${registry.host}/team/base:1 /data/file /copied\n`);
    await using opened = await openStore(store);
    expect(await verifyStore(opened)).toEqual([]);
  });

  it("may be named by digest, which is checked", async () => {
    await using registry = await registryWithBase();
    await buildIn(temporaryPath("store"), `FROM ${registry.host}/team/base@${base.digest}\nENV A=1\n`);
    registry.content.repository("team/base").manifests.set(newer.digest, { mediaType: base.mediaType, bytes: base.bytes });
    await expect(buildIn(temporaryPath("store"), `FROM ${registry.host}/team/base@${newer.digest}\n`)).rejects.toMatchObject({
      code: "INTEGRITY",
    });
  });

  it("that no registry has is an error with its place", async () => {
    await using registry = await registryWithBase();
    const error = await buildIn(temporaryPath("store"), `FROM ${registry.host}/team/base:2\n`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NOT_FOUND", range: { start: { line: 1 } } });
    expect((error as Error).message).toContain(`nor in the registry ${registry.host}`);
  });
});

describe("--pull", () => {
  /** A store that knows the base as it was, and a registry where its tag has moved. */
  async function moved() {
    const registry = await registryWithBase();
    const store = temporaryPath("store");
    const dockerfile = `FROM ${registry.host}/team/base:1\nENV OWN=1\n`;
    await buildIn(store, dockerfile);
    registry.putImage("team/base", "1", newer);
    registry.takeLog();
    return { registry, store, dockerfile };
  }

  async function versionOf(store: string): Promise<string | undefined> {
    await using opened = await openStore(store);
    return (await opened.images.open("app")).config.config?.Env?.find((text) => text.startsWith("FROM_BASE="));
  }

  it.each<[pull: NonNullable<BuildOptions["pull"]>, version: string]>([
    ["missing", "FROM_BASE=1"],
    ["never", "FROM_BASE=1"],
    ["always", "FROM_BASE=2"],
    ["newer", "FROM_BASE=2"],
  ])("%s takes %s when the tag has moved", async (pull, version) => {
    const { registry, store, dockerfile } = await moved();
    await using _ = registry;
    await buildIn(store, dockerfile, { pull });
    expect(await versionOf(store)).toBe(version);
    if (pull === "missing" || pull === "never") expect(asked(registry)).toEqual([]);
  });

  it("always makes what it found the next build's base too", async () => {
    const { registry, store, dockerfile } = await moved();
    await using _ = registry;
    await buildIn(store, dockerfile, { pull: "always" });
    await buildIn(store, dockerfile);
    expect(await versionOf(store)).toBe("FROM_BASE=2");
  });

  it.each<[pull: NonNullable<BuildOptions["pull"]>, code: string | undefined]>([
    ["missing", undefined],
    ["newer", undefined],
    ["always", "REGISTRY_UNREACHABLE"],
  ])("%s without a registry that answers: %s", async (pull, code) => {
    const { registry, store, dockerfile } = await moved();
    await registry.close();
    const { defaultRegistrySettings } = await import("../../store/registry/settings.ts");
    const built = buildIn(store, dockerfile, { pull, registry: { settings: { ...defaultRegistrySettings, attempts: 1 } } });
    if (code !== undefined) return expect(built).rejects.toMatchObject({ code });
    const { events } = await built;
    expect(await versionOf(store)).toBe("FROM_BASE=1");
    const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
    expect(notes).toEqual(pull === "newer" ? [expect.stringContaining("the store's is taken, since the registry did not answer")] : []);
  });

  it("never fails for what the store does not have, and asks nobody", async () => {
    await using registry = await registryWithBase();
    await expect(buildIn(temporaryPath("store"), `FROM ${registry.host}/team/base:1\n`, { pull: "never" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(registry.takeLog()).toEqual([]);
  });

  it("of a name that an image of the store got since means that image", async () => {
    const { registry, store, dockerfile } = await moved();
    await using _ = registry;
    await buildIn(store, "FROM scratch\nENV FROM_BASE=own\n", { tags: [`${registry.host}/team/base:1`] });
    await buildIn(store, dockerfile);
    expect(await versionOf(store)).toBe("FROM_BASE=own");
  });
});

describe("an image's outputs", () => {
  it("are the store and a registry, with the same config", async () => {
    await using registry = await registryWithBase();
    const store = temporaryPath("store");
    const name = `${registry.host}/team/app:1`;
    const outputs = [{ type: "image" }, { type: "registry", compression: "none" }] as const;
    const result = await buildIn(store, "FROM scratch\nCOPY f /f\n", { tags: [name], outputs, annotations: { "org.example.a": "b" } });
    const manifest = JSON.parse(
      registry.content
        .repository("team/app")
        .manifests.get(result.manifestDigest ?? "")
        ?.bytes.toString() ?? "{}",
    );
    expect(manifest.annotations).toEqual({ "org.example.a": "b" });
    expect(manifest.config.digest).toBe(result.imageId);
    await using opened = await openStore(store);
    const image = await opened.images.open(name);
    expect([image.imageId, image.manifest.annotations]).toEqual([result.imageId, { "org.example.a": "b" }]);
    expect(result.events.at(-1)).toMatchObject({ type: "image", pushed: [`${name.replace(/:1$/, ":1")}@${result.manifestDigest}`] });
  });

  it("go where the settings rewrite their names, which is said before anything moves", async () => {
    await using registry = await registryWithBase();
    const settings = { ...defaultRegistrySettings, rewrites: [{ from: "ghcr.io/pp", to: `${registry.host}/other` }] };
    const result = await buildIn(temporaryPath("store"), "FROM scratch\nCOPY f /f\n", {
      tags: ["ghcr.io/pp/app:1", "ghcr.io/pp/app:2"],
      outputs: [{ type: "registry" }],
      registry: { settings },
    });
    expect(registry.content.find("other/app", "2")).toBe(result.manifestDigest);
    const types = result.events.map(({ type }) => type);
    expect(result.events.filter(({ type }) => type === "note")).toEqual([
      { type: "note", message: `ghcr.io/pp/app is ${registry.host}/other/app by registry.rewrite` },
    ]);
    expect(types.indexOf("note")).toBeLessThan(types.indexOf("transfer"));
  });

  it("to a registry need a name, before anything is read or built", async () => {
    await expect(buildIn("/nowhere/at/all", "FROM scratch\n", { tags: [], outputs: [{ type: "registry" }] })).rejects.toMatchObject({
      code: "INVALID_REFERENCE",
      hint: "name it: -t HOST/REPOSITORY:TAG",
    });
  });
});
