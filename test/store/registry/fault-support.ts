import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { IntegrityError } from "../../../store/errors.ts";
import type { CredentialSource } from "../../../store/registry/credential.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { openStore } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { transientFiles } from "../../support/layout.ts";
import type { FakeBehaviour } from "../../support/registry/fake-behaviour.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { type Fault, type Step, stepName } from "../../support/registry/fault.ts";
import type { FaultCase } from "../../support/registry/fault-cases.ts";
import { startFaultProxy } from "../../support/registry/fault-proxy.ts";

/** What a pull or a push works with: a registry behind a proxy, and a client for it. */
export interface FaultBench {
  readonly registry: FakeRegistry;
  /** The proxy's: what references begin with. */
  readonly host: string;
  readonly client: Registry;
}

/** What is tried under faults. */
export interface FaultTrial {
  /** How the registry differs from a plain one. */
  readonly behaviour?: Partial<FakeBehaviour>;
  /** What goes wrong in every run, before the fault that is tried. */
  readonly broken?: { readonly step: Step; readonly fault: Fault };
  /** Fills the registry; nothing goes wrong yet. */
  readonly prepare: (registry: FakeRegistry) => void;
  readonly attempts: number;
  /** Blobs at once; with one at a time the steps have an order. */
  readonly parallel: number;
  readonly work: (bench: FaultBench) => Promise<void>;
  /** All that is wrong afterwards: here, and in the registry. */
  readonly inspect: (bench: Pick<FaultBench, "registry">, done: boolean) => Promise<readonly string[]>;
}

/** The steps of a trial without other faults than its own. */
export async function cleanSteps(trial: FaultTrial): Promise<readonly Step[]> {
  const { end, steps } = await run(trial);
  if (end !== "done") throw new Error(`without any fault: ${end}`);
  return steps;
}

/**
 * How the trial ends with the fault at each of the steps, each time with a registry of its own: "done", or the code of the one error. Whatever else is not as it
 * should be is said instead.
 */
export async function endsOf(trial: FaultTrial, steps: readonly Step[], fault: FaultCase): Promise<Readonly<Record<string, string>>> {
  const ends = await Promise.all(steps.map(async (step) => [stepName(step), (await run(trial, step, fault)).end] as const));
  return Object.fromEntries(ends);
}

/** The same end at every step, but for some. */
export function sameEnd(steps: readonly Step[], end: string, others: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(steps.map(stepName).map((name) => [name, others[name] ?? end]));
}

async function run(trial: FaultTrial, step?: Step, fault?: FaultCase): Promise<{ readonly end: string; readonly steps: readonly Step[] }> {
  await using registry = await startFakeRegistry({ auth: "bearer", ...trial.behaviour });
  await using proxy = await startFaultProxy(registry.url);
  trial.prepare(registry);
  if (trial.broken !== undefined) proxy.arm(trial.broken.step, trial.broken.fault);
  if (step !== undefined && fault !== undefined) proxy.armToo(step, fault.fault(registry), fault.times);
  const end = await outcomeOf(
    (async () => {
      await using client = hastyClient(trial);
      await trial.work({ registry, host: proxy.host, client });
    })(),
  );
  const unhurt = fault !== undefined && proxy.hits() === 0 ? ["the fault did not happen"] : [];
  const leaks = proxy.leaks.map(() => "credentials went to another host");
  const wrong = [...unhurt, ...leaks, ...(await trial.inspect({ registry }, end === "done"))];
  return { end: [end, ...wrong].join("; "), steps: [...proxy.steps()] };
}

const credentials: CredentialSource = { find: async () => ({ kind: "basic", username: "user", password: "password" }) };

/** In a hurry: it waits milliseconds where others wait seconds. */
function hastyClient({ attempts, parallel }: FaultTrial): Registry {
  // The waits between tries are random parts of 0.5 s, 1 s, 2 s and so on.
  vi.spyOn(Math, "random").mockReturnValue(0.01);
  const settings = { ...defaultRegistrySettings, attempts, parallel, deadlineMs: 20_000, connectTimeoutMs: 5_000, stallTimeoutMs: 1000 };
  return openRegistry({ settings, credentials });
}

/** "done", or the error's code; what is no clear error is told whole. */
async function outcomeOf(work: Promise<void>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof RegistryError || error instanceof IntegrityError) return error.code;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** All that is wrong with a store that nobody has open, and the names that it lists. */
export async function inspectStore(root: string): Promise<{ readonly names: readonly string[]; readonly wrong: readonly string[] }> {
  const transient = transientFiles(root).map((name) => `${name} was left behind`);
  await using store = await openStore(root);
  const mismatches = (await verifyStore(store)).map(({ problem }) => problem);
  const blobs = join(root, "blobs/sha256");
  const partial = readdirSync(blobs).filter((hex) => digestOf(readFileSync(join(blobs, hex))) !== `sha256:${hex}`);
  const names = (await store.images.list()).flatMap((image) => image.names);
  return { names, wrong: [...transient, ...mismatches, ...partial.map((hex) => `blob ${hex} is not whole`)] };
}
