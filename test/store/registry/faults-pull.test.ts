import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseReference } from "../../../store/reference.ts";
import { pullImage } from "../../../store/registry/pull.ts";
import { openStore } from "../../../store/store.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type Step, stepName } from "../../support/registry/fault.ts";
import { lastingFaults, passingFaults } from "../../support/registry/fault-cases.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { cleanSteps, endsOf, type FaultTrial, inspectStore, sameEnd } from "./fault-support.ts";

const image = await fakeImage({ layers: [{ "large.bin": randomBytes(300_000) }, { "small.txt": "small" }] });
const foreign = await fakeImage({ platform: { os: "linux", architecture: "riscv64" } });

function pullTrial(attempts: number): FaultTrial {
  const roots = new WeakMap<object, string>();
  return {
    attempts,
    parallel: 4,
    prepare(registry) {
      roots.set(registry, join(temporaryDirectory("faults"), "store"));
      registry.putIndex("team/app", "1", [image, foreign]);
    },
    async work({ registry, host, client }) {
      await using store = await openStore(roots.get(registry) ?? "");
      const pulled = await pullImage(store, client, parseReference(`${host}/team/app:1`), { platform: image.platform });
      expect(pulled.descriptor.digest).toBe(image.digest);
    },
    async inspect({ registry }, done) {
      const { names, wrong } = await inspectStore(roots.get(registry) ?? "");
      return names.length === (done ? 1 : 0) ? wrong : [...wrong, `${names.length} images are listed`];
    },
  };
}

let steps: readonly Step[];

beforeAll(async () => {
  steps = await cleanSteps(pullTrial(5));
});

afterAll(() => {
  vi.restoreAllMocks();
});

// A small answer that hashes to another digest is refused at once; layers are asked for again.
const damagedAnswer = { "GET manifest 2": "INTEGRITY", "GET manifest 3": "INTEGRITY", "GET blob 1": "INTEGRITY" };

/** Where a fault that passes ends the pull all the same. */
const finalAt: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Without proof the token server gives a token that allows nothing.
  "401 once": { "GET token 1": "REGISTRY_DENIED" },
  "an answer with a wrong byte": { ...damagedAnswer, "GET token 1": "REGISTRY_PROTOCOL" },
  "an answer that is a byte shorter": { ...damagedAnswer, "GET token 1": "REGISTRY_PROTOCOL" },
  "an answer that is said to be longer": { "GET blob 1": "INTEGRITY" },
  // Who is asked for credentials by another host than the registry has none for it.
  "a redirect to another host": { "GET manifest 1": "REGISTRY_DENIED" },
};

/** How a fault that lasts ends the pull, and at which steps otherwise. */
const lastingEnds: Readonly<Record<string, readonly [end: string, others?: Readonly<Record<string, string>>]>> = {
  "every answer lost": ["REGISTRY_UNREACHABLE"],
  "every request stalled": ["REGISTRY_UNREACHABLE"],
  "every answer stalled": ["REGISTRY_UNREACHABLE"],
  "every connection reset": ["REGISTRY_UNREACHABLE"],
  "every request refused by 401": ["REGISTRY_DENIED"],
  "every request refused by 429": ["REGISTRY_RATE_LIMITED"],
  "429 that lasts too long": ["REGISTRY_RATE_LIMITED"],
  "every request answered with 500": ["REGISTRY_FAILED"],
  // A token server without GET may have POST.
  "every request answered with 501": ["REGISTRY_FAILED", { "GET token 1": "done" }],
  "a wrong byte in every answer": ["INTEGRITY", { "GET token 1": "REGISTRY_PROTOCOL" }],
  // A pull sends no bodies.
  "a wrong byte in every request": ["done"],
  "a redirect for ever": ["done", { "GET manifest 1": "REGISTRY_DENIED" }],
};

describe("a pull", () => {
  it("has these steps", () => {
    expect(steps.map(stepName)).toEqual([
      "GET manifest 1",
      "GET token 1",
      "GET manifest 2",
      "GET manifest 3",
      "GET blob 1",
      "GET blob 2",
      "GET blob 3",
    ]);
  });

  it.each(passingFaults.map((fault) => [fault.name, fault] as const))("with %s at any step", async (name, fault) => {
    expect(await endsOf(pullTrial(5), steps, fault)).toEqual(sameEnd(steps, "done", finalAt[name]));
  });

  it.each(lastingFaults.map((fault) => [fault.name, fault] as const))("with %s from any step on", async (name, fault) => {
    expect(await endsOf(pullTrial(2), steps, fault)).toEqual(sameEnd(steps, ...(lastingEnds[name] ?? ["unknown"])));
  });
});
