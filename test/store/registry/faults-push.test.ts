import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import type { ImageLayer } from "../../../store/images.ts";
import { parseReference } from "../../../store/reference.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { pullImage } from "../../../store/registry/pull.ts";
import { pushImage } from "../../../store/registry/push.ts";
import { openRegistry } from "../../../store/registry/registry.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { type Step, stepName } from "../../support/registry/fault.ts";
import { lastingFaults, passingFaults } from "../../support/registry/fault-cases.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { cleanSteps, endsOf, type FaultTrial, inspectStore, sameEnd } from "./fault-support.ts";
import { sampleBytes } from "./test-repository.ts";

// In the order in which they are pushed: one layer is large enough for PATCH, one goes with a PUT, one is in another repository already.
const image = await fakeImage({
  layers: [{ "large.bin": sampleBytes(9 * 1024 * 1024) }, { "small.bin": sampleBytes(200_000) }, { "base.txt": "base" }],
});
const base = image.layers[2] ?? Buffer.alloc(0);

const root = join(temporaryDirectory("faults"), "store");
let store: Store;
let layers: readonly ImageLayer[];
let steps: readonly Step[];

beforeAll(async () => {
  store = await openStore(root);
  await using registry = await startFakeRegistry();
  await using client = openRegistry();
  registry.putImage("app", "1", image);
  ({ layers } = await pullImage(store, client, parseReference(`${registry.host}/app:1`), { platform: image.platform }));
  steps = await cleanSteps(pushTrial(5));
});

afterAll(async () => {
  vi.restoreAllMocks();
  await store.close();
  expect((await inspectStore(root)).wrong).toEqual([]);
});

function pushTrial(attempts: number): FaultTrial {
  return {
    attempts,
    parallel: 1,
    prepare(registry) {
      registry.putBlob("team/base", base);
    },
    async work({ host, client }) {
      await blobPlaces(store).add([digestOf(base)], { registry: host, repository: "team/base" });
      const manifest = { mediaType: image.mediaType, bytes: image.bytes };
      const pushed = await pushImage(store, client, { rawConfig: image.config, layers, manifest }, [parseReference(`${host}/team/app:1`)]);
      expect(pushed.digest).toBe(image.digest);
    },
    async inspect({ registry }, done) {
      const pushed = registry.content.find("team/app", "1");
      return pushed === image.digest || !done ? registry.content.holes() : [`the tag means ${pushed}`];
    },
  };
}

const sent = ["PATCH upload 1", "PUT upload 2", "PUT upload 3"];
const uploads = ["POST uploads 1", "POST uploads 2", "POST uploads 3", "POST uploads 4", "PUT upload 1"];
const heads = ["HEAD blob 1", "HEAD blob 2", "HEAD blob 3", "HEAD blob 4"];
const tokens = ["GET token 1", "GET token 2"];

function at(names: readonly string[], end: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, end]));
}

/** Where a fault that passes ends the push all the same. */
const finalAt: Readonly<Record<string, Readonly<Record<string, string>>>> = {};

/** How a fault that lasts ends the push, and at which steps otherwise. */
const lastingEnds: Readonly<Record<string, readonly [end: string, others?: Readonly<Record<string, string>>]>> = {};

describe("a push", () => {
  it("has these steps", () => {
    expect(steps.map(stepName)).toEqual([]);
  });

  it.each(passingFaults.map((fault) => [fault.name, fault] as const))("with %s at any step", async (name, fault) => {
    expect(await endsOf(pushTrial(5), steps, fault)).toEqual(sameEnd(steps, "done", finalAt[name]));
  });

  it.each(lastingFaults.map((fault) => [fault.name, fault] as const))("with %s from any step on", async (name, fault) => {
    expect(await endsOf(pushTrial(2), steps, fault)).toEqual(sameEnd(steps, ...(lastingEnds[name] ?? ["unknown"])));
  });
});
