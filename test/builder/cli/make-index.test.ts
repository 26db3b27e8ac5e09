import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { copy } from "../../../builder/cli/copy.ts";
import { images } from "../../../builder/cli/images.ts";
import { makeIndex } from "../../../builder/cli/make-index.ts";
import { tag } from "../../../builder/cli/tag.ts";
import { build } from "../../../builder/index.ts";
import { collectGarbage } from "../../../store/gc/collect.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { parseIndex } from "../../../store/oci-parse.ts";
import { platformText } from "../../../store/platform.ts";
import { openStore } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { contextDirectory } from "../../support/context.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let home: string;
const store = () => join(home, "store");

async function printed(...argv: string[]) {
  const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: store() } });
  expect(await makeIndex.main(argv, io)).toBe(0);
  return io.printed;
}

const failing = (...argv: string[]) => expect(makeIndex.main(argv, fakeIo({ env: { HOME: home, TSBUILD_ROOT: store() } }))).rejects;

async function read(name: string) {
  await using opened = await openStore(store());
  expect(await verifyStore(opened)).toEqual([]);
  const { listed } = await opened.images.open(name);
  const { manifests, annotations } = parseIndex(await opened.blobs.readBytes(listed, 1 << 20), listed.digest);
  return { digest: listed.digest, annotations, manifests, platforms: manifests.map(({ platform }) => platform && platformText(platform)) };
}

beforeAll(async () => {
  home = temporaryDirectory("join");
  const context = contextDirectory({ Dockerfile: "FROM scratch\nARG V\nLABEL v=$V\nCOPY a /\n", a: "a" });
  const make = (name: string, platform: string | readonly string[], V = "1") =>
    build({ context, store: store(), tags: [name], platform, buildArgs: { V } });
  await make("app:amd64", "linux/amd64");
  await make("app:arm64", "linux/arm64");
  await make("app:other", "linux/arm64", "2");
  await make("app:two", ["linux/s390x", "linux/riscv64"]);
});

describe("index", () => {
  it("gives a name to images, in the order in which they are named, and prints the digest", async () => {
    const { stdout, stderr } = await printed("joined", "app:arm64", "app:amd64");
    const { digest, platforms, manifests } = await read("joined");
    expect([stdout, stderr]).toEqual([`${digest}\n`, ""]);
    expect(platforms).toEqual(["linux/arm64", "linux/amd64"]);
    await using opened = await openStore(store());
    const own = await Promise.all(["app:arm64", "app:amd64"].map(async (name) => (await opened.images.open(name)).descriptor.digest));
    expect(manifests.map((one) => one.digest)).toEqual(own);
    expect((await printed("again", "app:arm64", "app:amd64")).stdout).toBe(stdout);
  });

  it("takes all platforms of an index, one that is named by its id alone, and each image once", async () => {
    await printed("all", "app:two", "app:amd64", "app:amd64");
    expect((await read("all")).platforms).toEqual(["linux/s390x", "linux/riscv64", "linux/amd64"]);
    await using opened = await openStore(store());
    const one = await opened.images.open("app:two", { os: "linux", architecture: "riscv64" });
    await printed("one", one.imageId, one.descriptor.digest, "app:arm64");
    expect((await read("one")).platforms).toEqual(["linux/riscv64", "linux/arm64"]);
  });

  it("adds to a name that it has", async () => {
    await printed("grows", "app:amd64", "app:arm64");
    await printed("grows", "grows", "app:two");
    expect((await read("grows")).platforms).toEqual(["linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64"]);
  });

  it("is a list of Docker's over manifests of Docker's, which has no place for annotations, else an index of OCI's", async () => {
    await using registry = await startFakeRegistry();
    for (const architecture of ["amd64", "arm64"]) {
      registry.putImage("docker", architecture, await fakeImage({ format: "docker", platform: { os: "linux", architecture } }));
      const env = { HOME: home, TSBUILD_ROOT: store() };
      await copy.main(["-q", `${registry.host}/docker:${architecture}`, `store:docker:${architecture}`], fakeIo({ env }));
    }
    const dockers = ["docker:amd64", "docker:arm64"];
    const typeOf = async (...argv: string[]) => {
      expect((await printed(...argv)).stderr).toBe("");
      await using opened = await openStore(store());
      return (await opened.images.open("typed")).listed.mediaType;
    };
    expect(await typeOf("typed", ...dockers)).toBe(mediaTypes.dockerManifestList);
    expect(await typeOf("typed", ...dockers, "app:two")).toBe(mediaTypes.index);
    expect(await typeOf("typed", "--annotation", "a=1", ...dockers)).toBe(mediaTypes.index);
    expect((await read("typed")).annotations).toEqual({ a: "1" });
  });

  it("annotates itself, and what it says of manifests", async () => {
    await printed("noted", "--annotation", "a=1", "--annotation", "manifest-descriptor[linux/arm64]:b=2", "app:amd64", "app:arm64");
    const { annotations, manifests } = await read("noted");
    expect([annotations, manifests.map((one) => one.annotations)]).toEqual([{ a: "1" }, [undefined, { b: "2" }]]);
    // What an index said stays when it is taken into another one.
    await printed("kept", "noted");
    expect((await read("kept")).manifests.map((one) => one.annotations)).toEqual([undefined, { b: "2" }]);
  });

  it("keeps its images when their own names are gone and garbage is collected", async () => {
    const own = fakeIo({ env: { HOME: home, TSBUILD_ROOT: store() } });
    await tag.main(["app:amd64", "lonely"], own);
    await printed("keeper", "lonely", "app:arm64");
    {
      await using opened = await openStore(store());
      await opened.images.untag("lonely");
      await collectGarbage(opened, {});
    }
    expect((await read("keeper")).platforms).toEqual(["linux/amd64", "linux/arm64"]);
    const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: store() } });
    await images.main(["keeper", "--format", "json"], io);
    expect(JSON.parse(io.printed.stdout)).toHaveLength(1);
  });

  it.each<[name: string, argv: readonly string[], error: object]>([
    [
      "two images for one platform",
      ["bad", "app:arm64", "app:amd64", "app:other"],
      {
        code: "DUPLICATE_PLATFORM",
        message: expect.stringMatching(
          /^joining images as bad: two are for linux\/arm64: app:arm64 \(sha256:.*\) and app:other \(sha256:.*\)$/,
        ),
      },
    ],
    ["an image that is not there", ["bad", "app:none"], { code: "NOT_FOUND" }],
    ["a name with a digest", [`bad@sha256:${"0".repeat(64)}`, "app:amd64"], { code: "INVALID_REFERENCE" }],
    ["an annotation of manifests", ["--annotation", "manifest:a=b", "bad", "app:amd64"], { code: "UNSUPPORTED_VALUE" }],
    [
      "an annotation of a platform that is not there",
      ["--annotation", "manifest-descriptor[linux/ppc64le]:a=b", "bad", "app:amd64"],
      { code: "PLATFORM_NOT_FOUND" },
    ],
    ["a name alone", ["bad"], { code: "WRONG_OPERANDS" }],
  ])("refuses %s, and names nothing", async (_name, argv, error) => {
    await failing(...argv).toMatchObject(error);
    await using opened = await openStore(store());
    expect(await opened.images.resolve("bad")).toBeUndefined();
  });
});
