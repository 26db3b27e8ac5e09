import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import type { Image } from "../../../store/images.ts";
import { parseReference } from "../../../store/reference.ts";
import type { LayerFetcher } from "../../../store/registry/layer-fetcher.ts";
import { pullImage } from "../../../store/registry/pull.ts";
import { pushImage } from "../../../store/registry/push.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { type FakeImage, fakeImage } from "../../support/registry/fake-image.ts";
import { startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { type Step, stepName } from "../../support/registry/fault.ts";
import { type FaultCase, lastingFaults, passingFaults } from "../../support/registry/fault-cases.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { cleanSteps, endsOf, type FaultTrial, inspectStore, sameEnd } from "./fault-support.ts";
import { sampleBytes } from "./test-repository.ts";

const mebibyte = 1024 * 1024;

// One layer is sent with a PUT, the other, by then, is mounted from team/base.
const image = await fakeImage({ layers: [{ "base.txt": "base" }, { "small.bin": sampleBytes(200_000) }] });
const base = image.layers[0] ?? Buffer.alloc(0);
// Beyond what is sent with one PUT.
const largeImage = await fakeImage({ layers: [{ "large.bin": sampleBytes(9 * mebibyte) }] });
// Beyond what a proxy takes at once.
const chunkedImage = await fakeImage({ layers: [{ "chunked.bin": sampleBytes(3 * mebibyte, "chunked") }] });

/** The first large body does not arrive. */
const broken: FaultTrial["broken"] = { step: { method: "PATCH", route: "upload", nth: 1 }, fault: { kind: "cut request", at: "middle" } };

const root = join(temporaryDirectory("faults"), "store");
let store: Store;
const pulled = new Map<FakeImage, Image>();

beforeAll(async () => {
  store = await openStore(root);
  await using registry = await startFakeRegistry();
  await using client = openRegistry();
  for (const one of [image, largeImage, chunkedImage]) {
    registry.putImage("app", "1", one);
    pulled.set(one, await pullImage(store, client, parseReference(`${registry.host}/app:1`), { platform: one.platform }));
  }
});

afterAll(async () => {
  vi.restoreAllMocks();
  await store.close();
  expect((await inspectStore(root)).wrong).toEqual([]);
});

/** Says of the base layer that another repository of the registry has it. */
function baseIn(client: Registry, registry: string): LayerFetcher {
  const origin = client.repository({ registry, repository: "team/base" });
  return {
    offer: () => undefined,
    placesOf: ({ blob }) => (blob.digest === digestOf(base) ? [origin] : []),
    fetch: async () => undefined,
  };
}

function pushTrial(pushed: FakeImage, attempts: number, line?: Pushed["line"]): FaultTrial {
  return {
    ...line,
    attempts,
    parallel: 1,
    prepare(registry) {
      registry.putBlob("team/base", base);
    },
    async work({ host, client }) {
      const layers = pulled.get(pushed)?.layers ?? [];
      const pushable = { rawConfig: pushed.config, layers, manifest: { mediaType: pushed.mediaType, bytes: pushed.bytes } };
      const options = { fetcher: baseIn(client, host) };
      expect((await pushImage(store, client, pushable, [parseReference(`${host}/team/app:1`)], options)).digest).toBe(pushed.digest);
    },
    async inspect({ registry }, done) {
      const found = registry.content.find("team/app", "1");
      return found === pushed.digest || !done ? registry.content.holes() : [`the tag means ${found}`];
    },
  };
}

/** By fault, then by step. */
type Ends = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Where a fault that passes ends the push all the same. */
const finalAt: Ends = {
  // Without proof the token server gives a token that allows nothing.
  "401 once": { "GET token 1": "REGISTRY_DENIED", "GET token 2": "REGISTRY_DENIED" },
  "an answer with a wrong byte": { "GET token 1": "REGISTRY_PROTOCOL" },
  "an answer that is a byte shorter": { "GET token 1": "REGISTRY_PROTOCOL" },
  // The registry says that it got something else than what was meant.
  "a request with a wrong byte": { "PUT upload 1": "INTEGRITY", "PUT upload 2": "INTEGRITY", "PUT manifest 1": "REGISTRY_FAILED" },
  // Who is asked for credentials by another host than the registry has none for it.
  "a redirect to another host": { "HEAD blob 1": "REGISTRY_DENIED" },
};

const finalAtLarge: Ends = {
  "a request with a wrong byte": { "PATCH upload 1": "INTEGRITY" },
  "a request that arrives twice": { "PATCH upload 1": "INTEGRITY" },
};

// Answers to HEAD and to what is sent have no body.
const bodiless = steps("done", "HEAD blob", "POST uploads", "PATCH upload", "PUT upload", "PUT manifest");

/** How a fault that lasts ends the push, and at which steps otherwise. */
const lastingEnds: Readonly<Record<string, readonly [end: string, others?: Readonly<Record<string, string>>]>> = {
  // Whether the blob arrived can be seen.
  "every answer lost": ["REGISTRY_UNREACHABLE", steps("done", "PATCH upload", "PUT upload")],
  "every request stalled": ["REGISTRY_UNREACHABLE"],
  "every answer stalled": ["REGISTRY_UNREACHABLE", bodiless],
  "every connection reset": ["REGISTRY_UNREACHABLE"],
  // A layer that cannot be mounted is sent.
  "every request refused by 401": ["REGISTRY_DENIED", { "GET token 3": "done" }],
  "every request refused by 429": ["REGISTRY_RATE_LIMITED", { "GET token 3": "done" }],
  "429 that lasts too long": ["REGISTRY_RATE_LIMITED", { "GET token 3": "done" }],
  "every request answered with 500": ["REGISTRY_FAILED"],
  // There is another way than HEAD, than GET of a token, than PATCH.
  "every request answered with 501": ["REGISTRY_FAILED", steps("done", "GET token", "HEAD blob", "PATCH upload")],
  "a wrong byte in every answer": ["REGISTRY_PROTOCOL", bodiless],
  "a wrong byte in every request": [
    "done",
    { ...steps("INTEGRITY", "PATCH upload", "PUT upload"), ...steps("REGISTRY_FAILED", "PUT manifest") },
  ],
  "a redirect for ever": ["REGISTRY_PROTOCOL", { ...steps("done", "GET token", "HEAD blob"), "HEAD blob 1": "REGISTRY_DENIED" }],
};

/** An end for all steps of these kinds. */
function steps(end: string, ...kinds: readonly string[]): Record<string, string> {
  return Object.fromEntries(kinds.flatMap((kind) => [1, 2, 3, 4].map((nth) => [`${kind} ${nth}`, end])));
}

interface Pushed {
  readonly name: string;
  readonly image: FakeImage;
  readonly line?: Pick<FaultTrial, "behaviour" | "broken">;
  /** The steps that are tried; absent: all. */
  readonly names: readonly string[];
  readonly final: Ends;
  /** Where a fault that lasts ends otherwise than in a plain push. */
  readonly ends?: Ends;
  /** Absent: all. */
  readonly passing?: readonly FaultCase[];
  readonly lasting?: readonly FaultCase[];
}

const second = [
  "a request cut in the middle",
  "an answer cut in the middle",
  "an answer that never comes",
  "a request that stalls in the middle",
  "a reset",
  "a token that expires",
  "429 without Retry-After",
  "500 twice",
  "an answer that is said to be longer",
  "a redirect to another host",
];
/** Of what happens after a fault. */
const secondFaults: Pick<Pushed, "passing" | "lasting"> = {
  passing: passingFaults.filter(({ name }) => second.includes(name)),
  lasting: [],
};

/** What lasts and ends otherwise when it meets chunks, or might. */
const inChunks = ["every answer lost", "every request answered with 501", "a wrong byte in every request"];

const pushes: readonly Pushed[] = [
  {
    name: "a push",
    image,
    names: [
      "HEAD blob 1",
      "GET token 1",
      "HEAD blob 2",
      "GET token 2",
      "POST uploads 1",
      "PUT upload 1",
      "HEAD blob 3",
      "GET token 3",
      "POST uploads 2",
      "HEAD blob 4",
      "POST uploads 3",
      "PUT upload 2",
      "PUT manifest 1",
    ],
    final: finalAt,
  },
  // The other steps of these are those of any other.
  {
    name: "a push of a large layer",
    image: largeImage,
    names: ["POST uploads 1", "PATCH upload 1", "PUT upload 1"],
    final: finalAtLarge,
  },
  {
    name: "a push in chunks",
    image: chunkedImage,
    line: { behaviour: { maxBodyBytes: 1.5 * mebibyte, minChunkBytes: 1.25 * mebibyte } },
    names: ["PUT upload 1", "PATCH upload 1", "PATCH upload 2", "PATCH upload 3", "PUT upload 2"],
    final: {},
    lasting: lastingFaults.filter(({ name }) => inChunks.includes(name)),
    ends: {
      // The one that says that the body is too long.
      "every answer lost": { "PUT upload 1": "REGISTRY_UNREACHABLE" },
      // There is no other way than chunks.
      "every request answered with 501": steps("REGISTRY_FAILED", "PATCH upload"),
    },
  },
  {
    name: "a push that breaks off and goes on",
    image: largeImage,
    line: { broken },
    ...secondFaults,
    names: ["GET upload 1", "PATCH upload 2"],
    final: {},
  },
  {
    name: "a push that breaks off and begins again",
    image: largeImage,
    line: { broken, behaviour: { losesBrokenUploads: true } },
    ...secondFaults,
    names: ["GET upload 1", "DELETE upload 1", "PATCH upload 2"],
    final: {},
  },
];

describe.each(pushes.map((one) => [one.name, one] as const))(
  "%s",
  (_name, { image: pushed, line, names, final, ends = {}, passing = passingFaults, lasting = lastingFaults }) => {
    let taken: readonly Step[];

    beforeAll(async () => {
      taken = (await cleanSteps(pushTrial(pushed, 5, line))).filter((step) => pushed === image || names.includes(stepName(step)));
    });

    it("has these steps", () => {
      expect(taken.map(stepName)).toEqual(names);
    });

    it.each(passing.map((fault) => [fault.name, fault] as const))("with %s at any step", async (_fault, fault) => {
      expect(await endsOf(pushTrial(pushed, 5, line), taken, fault)).toEqual(sameEnd(taken, "done", final[fault.name]));
    });

    it.each(lasting.map((fault) => [fault.name, fault] as const))("with %s from any step on", async (_fault, fault) => {
      const [end, others] = lastingEnds[fault.name] ?? ["unknown"];
      expect(await endsOf(pushTrial(pushed, 2, line), taken, fault)).toEqual(sameEnd(taken, end, { ...others, ...ends[fault.name] }));
    });
  },
);
