import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { Digest } from "../../store/digest.ts";
import { openStore } from "../../store/store.ts";
import { contextDirectory } from "../support/context.ts";
import { sha256 } from "../support/registry/fake-content.ts";
import { descriptorOf, type FakeImage, fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryPath } from "../support/temporary.ts";

const configType = "application/vnd.oci.image.config.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";

/** An image that says it has these layers, as blobs that are nowhere. */
async function claiming(diffIds: readonly string[]): Promise<FakeImage> {
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs }));
  const layers = diffIds.map((_, i) => ({ mediaType: layerType, digest: sha256(Buffer.from(`nowhere ${i}`)), size: 9 }));
  return { ...(await fakeImage({ manifest: { config: descriptorOf(configType, config), layers } })), config, layers: [] };
}

const run = (store: string, dockerfile: string, tag: string) =>
  build({ context: contextDirectory({ Dockerfile: dockerfile, secret: "private" }), store, tags: [tag], onEvent: () => undefined });

describe("attacks: a remote image whose config names a layer of the store", () => {
  it.each<[name: string, dockerfile: (evil: string) => string]>([
    ["COPY --from", (evil) => `FROM scratch\nCOPY --from=${evil} /secret /stolen\n`],
    [
      "COPY --from behind the layer's rightful image",
      (evil) => `FROM scratch\nCOPY --from=private /secret /own\nCOPY --from=${evil} /secret /stolen\n`,
    ],
    ["a COPY upon it", (evil) => `FROM ${evil}\nCOPY --chown=1:2 secret /secret/../f\n`],
    ["the image itself", (evil) => `FROM ${evil}\n`],
  ])("gets nothing of it into a build: %s", async (_, dockerfile) => {
    await using registry = await startFakeRegistry();
    const store = temporaryPath("store");
    await run(store, "FROM scratch\nCOPY secret /secret\n", "private");
    await using opened = await openStore(store);
    const diffIds: readonly Digest[] = (await opened.images.open("private")).config.rootfs.diff_ids;
    registry.putImage("evil", "1", await claiming(diffIds));
    await expect(run(store, dockerfile(`${registry.host}/evil:1`), "stolen")).rejects.toMatchObject({ code: "REGISTRY_NOT_FOUND" });
    expect(await opened.images.resolve("stolen")).toBeUndefined();
  });
});
