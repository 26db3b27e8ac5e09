import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BuildOptions, build } from "../../builder/index.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout } from "../support/layout.ts";
import { fakeImage, fakeIndex } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const machine = machinePlatform();
const foreign = { os: "linux", architecture: machine.architecture === "s390x" ? "amd64" : "s390x" };
const platforms = [machine, foreign].map(platformText);

/** A registry with "base:1" for both platforms, and a build on it. */
async function onBase(
  work: (place: {
    build(change?: Partial<BuildOptions>): ReturnType<typeof build>;
    at(name: string): string;
    log(): string[];
  }) => Promise<void>,
) {
  await using registry = await startFakeRegistry();
  const images = [
    await fakeImage({ platform: machine, layers: [{ own: "machine" }, { both: "1" }] }),
    await fakeImage({ platform: foreign, layers: [{ own: "foreign" }, { both: "1" }] }),
  ];
  for (const image of images) registry.putImage("base", "unused", image);
  const { mediaType, bytes, digest } = fakeIndex(images);
  const { manifests, tags } = registry.content.repository("base");
  manifests.set(digest, { mediaType, bytes });
  tags.set("1", digest);
  const directory = temporaryDirectory("base");
  const at = (name: string) => join(directory, name);
  const name = `${registry.host}/base:1`;
  const Dockerfile = `FROM --platform=$BUILDPLATFORM ${name} AS tools\nFROM ${name}\nCOPY --from=tools own /tool\n`;
  await work({
    build: (change = {}) =>
      build({ context: contextDirectory({ Dockerfile }), store: at("store"), tags: ["app"], platform: platforms, ...change }),
    at,
    log: () => registry.takeLog().filter((line) => line.endsWith(" 200")),
  });
}

describe("a base image for several platforms", () => {
  it("is taken for each, and what they share is fetched once", () =>
    onBase(async ({ build, at, log }) => {
      const first = await build();
      const asked = log();
      // Each platform asks what the tag means.
      expect(asked.filter((line, i) => asked.indexOf(line) !== i)).toEqual(["GET /v2/base/manifests/1 200"]);
      expect(checkLayout(at("store"))).toEqual({ names: ["app"], damage: [] });
      await using store = await openStore(at("store"));
      expect(await verifyStore(store)).toEqual([]);
      for (const platform of [machine, foreign]) {
        expect((await store.images.open("app", platform)).layers).toHaveLength(3);
      }
      const again = await build({ tags: ["again"] });
      expect([again.imageId, again.cachedSteps, log()]).toEqual([first.imageId, again.totalSteps, []]);
    }));

  it("is locked for each, and the lock holds for all", () =>
    onBase(async ({ build, at }) => {
      const file = at("app.lock");
      const { imageId } = await build({ lock: { file, locked: false } });
      const locked = JSON.parse(readFileSync(file, "utf8")) as { images: Record<string, Record<string, string>> };
      expect(Object.values(locked.images).map((of) => Object.keys(of).sort())).toEqual([[...platforms].sort()]);
      expect((await build({ lock: { file, locked: true } })).imageId).toBe(imageId);
      await build({ platform: platformText(machine), lock: { file: at("one.lock"), locked: false } });
      await expect(build({ lock: { file: at("one.lock"), locked: true } })).rejects.toMatchObject({
        code: "NOT_LOCKED",
        message: expect.stringContaining(platformText(foreign)),
      });
    }));

  it("that is not there for one of them fails the build, which says for which", () =>
    onBase(async ({ build }) => {
      await expect(build({ platform: [platformText(machine), "linux/riscv64"] })).rejects.toMatchObject({
        code: "PLATFORM_NOT_FOUND",
        message: expect.stringMatching(/^for linux\/riscv64: .*not linux\/riscv64$/),
      });
    }));
});
