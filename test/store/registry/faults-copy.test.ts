import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseReference } from "../../../store/reference.ts";
import { type CopyPlace, copyImage } from "../../../store/registry/copy.ts";
import { fakeImage, fakeIndex } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { type Step, stepName } from "../../support/registry/fault.ts";
import { type FaultCase, passingFaults } from "../../support/registry/fault-cases.ts";
import { cleanSteps, endsOf, type FaultBench, type FaultTrial, sameEnd } from "./fault-support.ts";

const platform = { os: "linux", architecture: "amd64" };
const image = await fakeImage({ platform, layers: [{ "file.txt": "x".repeat(100_000) }] });
const index = fakeIndex([image]);

let otherEnd: FakeRegistry;
beforeAll(async () => {
  otherEnd = await startFakeRegistry();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await otherEnd.close();
});

const place = (host: string, name: string): CopyPlace => ({ kind: "registry", reference: parseReference(`${host}/${name}`) });
const unused = () => expect.fail("the store was opened");
const problems = (registry: FakeRegistry, repository: string, done: boolean) => [
  ...registry.content.holes(),
  ...(done === (registry.content.find(repository, "1") === index.digest)
    ? []
    : [`the tag means ${registry.content.find(repository, "1")}`]),
];

async function copy({ client }: FaultBench, from: CopyPlace, to: CopyPlace): Promise<void> {
  const { digest } = await copyImage({ from, to, registry: client, store: unused });
  expect(digest).toBe(index.digest);
}

/** The source is behind the proxy; every run has a repository of its own at the target. */
function sourceTrial(): FaultTrial {
  let runs = 0;
  const repositories = new WeakMap<FakeRegistry, string>();
  return {
    attempts: 5,
    parallel: 1,
    prepare(registry) {
      repositories.set(registry, `run-${runs++}`);
      registry.putIndex("app", "1", [image]);
    },
    work: (bench) => copy(bench, place(bench.host, "app:1"), place(otherEnd.host, `${repositories.get(bench.registry)}:1`)),
    inspect: async ({ registry }, done) => problems(otherEnd, repositories.get(registry) ?? "", done),
  };
}

/** The target is behind the proxy. */
function targetTrial(): FaultTrial {
  return {
    attempts: 5,
    parallel: 1,
    prepare: () => otherEnd.putIndex("source", "1", [image]),
    work: (bench) => copy(bench, place(otherEnd.host, "source:1"), place(bench.host, "app:1")),
    inspect: async ({ registry }, done) => problems(registry, "app", done),
  };
}

function faults(...names: readonly string[]): readonly [name: string, fault: FaultCase][] {
  return names.map((name) => [name, passingFaults.find((fault) => fault.name === name) ?? expect.fail(`no fault "${name}"`)]);
}

/** By fault, then by step. */
type Ends = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Wrong bytes of a blob have been handed on when it shows: the copy ends, and nothing gets the name. */
const finalAtSource: Ends = {
  "an answer with a wrong byte": {
    "GET token 1": "REGISTRY_PROTOCOL",
    "GET manifest 2": "INTEGRITY",
    "GET manifest 3": "INTEGRITY",
    "GET blob 1": "INTEGRITY",
    "GET blob 2": "INTEGRITY",
  },
};

describe.each<
  [name: string, trial: FaultTrial, names: readonly string[], faults: readonly (readonly [name: string, fault: FaultCase])[], final: Ends]
>([
  [
    "a copy between registries, at its source",
    sourceTrial(),
    ["GET manifest 1", "GET token 1", "GET manifest 2", "GET manifest 3", "GET blob 1", "GET blob 2"],
    faults("an answer cut in the middle", "500 twice", "an answer with a wrong byte"),
    finalAtSource,
  ],
  [
    "a copy between registries, at its target",
    targetTrial(),
    [
      "HEAD blob 1",
      "GET token 1",
      "HEAD blob 2",
      "GET token 2",
      "POST uploads 1",
      "PUT upload 1",
      "HEAD blob 3",
      "POST uploads 2",
      "PUT upload 2",
      "PUT manifest 1",
      "PUT manifest 2",
    ],
    faults("a request cut in the middle", "an answer that never comes"),
    {},
  ],
])("%s", (_name, trial, names, cases, final) => {
  let taken: readonly Step[];
  beforeAll(async () => {
    taken = await cleanSteps(trial);
  });

  it("has these steps", () => {
    expect(taken.map(stepName)).toEqual(names);
  });

  it.each(cases)("with %s at any step", async (name, fault) => {
    expect(await endsOf(trial, taken, fault)).toEqual(sameEnd(taken, "done", final[name]));
  });
});
