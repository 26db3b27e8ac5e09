import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { checkLayout } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote } from "../support/registry/inspect-remote.ts";
import { newMachine } from "../support/registry/machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let registry: DebianRegistry;

const oci = { manifest: "application/vnd.oci.image.manifest.v1+json", layer: "application/vnd.oci.image.layer.v1.tar+gzip" };
const ociPlain = { ...oci, layer: "application/vnd.oci.image.layer.v1.tar" };
const docker = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

describe("--push and --output of a build", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
  });
  afterAll(() => registry.close());

  it.each<[flags: string, kept: boolean, types: typeof oci]>([
    ["--push", false, oci],
    ["-o type=registry", false, oci],
    ["-o type=image,push=true", true, oci],
    ["--push --load", true, oci],
    ["-o type=registry,compression=uncompressed", false, ociPlain],
    ["-o type=registry,oci-mediatypes=false", false, docker],
  ])("%s", async (flags, kept, types) => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "a\n" });
    await machine.must(["-t", `${registry.host}/app`, ...flags.split(" "), context]);
    const { mediaType, manifest } = await inspectRemote(registry.host, "app");
    expect([mediaType, manifest.layers.map((layer) => layer.mediaType)]).toEqual([types.manifest, [types.layer]]);
    expect(checkLayout(machine.store)).toEqual({ names: kept ? [`${registry.host}/app`] : [], damage: [] });
  });

  it("names as many tags as there are, in one manifest, and says so in --metadata-file", async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "b\n" });
    const tags = ["one", "two"].map((tag) => `${registry.host}/tags:${tag}`);
    const metadata = `${machine.home}/metadata.json`;
    await machine.must([...tags.flatMap((tag) => ["-t", tag]), "--push", "--metadata-file", metadata, context]);
    const [one, two] = await Promise.all([inspectRemote(registry.host, "tags", "one"), inspectRemote(registry.host, "tags", "two")]);
    expect(one).toEqual(two);
    expect(JSON.parse(readFileSync(metadata, "utf8"))).toEqual({
      "containerimage.config.digest": one.manifest.config.digest,
      "containerimage.digest": one.digest,
      "image.name": tags.join(","),
    });
  });
});
