import type { Digest } from "../../store/digest.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import { baseChain, type KeyTree, keyDigest, runKey } from "../plan/key.ts";
import type { RunOperation } from "../plan/operation.ts";
import type { NoteSink } from "../progress/event.ts";
import type { Host } from "../sandbox/host.ts";
import { parseAddHost, stepHostname } from "../sandbox/network-files.ts";
import { refuseForeign } from "../sandbox/runnable.ts";
import { securityKey } from "../sandbox/security.ts";
import type { RunPlace } from "./run-and-commit.ts";
import { bindsOf, type RunInputs } from "./run-inputs.ts";
import { withStepResources } from "./run-resources.ts";
import type { RunSettings } from "./run-settings.ts";
import { type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";

/** RUN: takes the recorded layer, or runs the command in a sandbox and makes a layer of what it changed. Throws StepError when it fails. */
export async function runStep(
  operation: RunOperation,
  files: Files,
  context: StepContext,
  settings: RunSettings,
  place: RunPlace,
  inputs: RunInputs,
): Promise<StepOutcome> {
  const binds: Digest[] = [];
  for (const mount of bindsOf(operation.mounts)) binds.push(await inputs.bind(mount).digest());
  const keyFor = keysOf(operation, files, context, settings, binds);
  const hit = await recorded(keyFor(settings.host.expectedOwners()), context);
  if (hit !== undefined) return hit;
  const onNote: NoteSink = (message, passing) => settings.onNote(`${place.info.title}: ${message}`, passing);
  const run = async (): Promise<StepOutcome> => {
    refuseForeign(context.basePlatform ?? context.platform, "running the command");
    // Now it is known what this machine really gives; and another process may have run the step while this one waited.
    const host = await settings.host.open();
    const late = await recorded(keyFor(host.owners), context);
    if (late !== undefined) return late;
    // Loaded now: a cached build has no use for the sandbox.
    const { runAndCommit } = await import("./run-and-commit.ts");
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const outcome = await withStepResources(operation, { files, context, host, inputs }, settings, { onNote, onWarning }, (resources) =>
      context.busy(() => runAndCommit(operation, files, context, settings, place, resources, keyFor)),
    );
    return { ...outcome, warnings: [...warnings, ...(outcome.warnings ?? [])] };
  };
  const key = keyDigest(keyFor(settings.host.expectedOwners()));
  return context.once(key, run, () => onNote("waiting for another process, which builds this step", "passing"));
}

/** What runStep would take without running anything; makes and mounts nothing. */
export async function lookupRun(
  operation: RunOperation,
  files: Files,
  context: StepContext,
  settings: { readonly host: Pick<Host, "expectedOwners"> } & KeySettings,
  inputs: RunInputs,
): Promise<StepOutcome | undefined> {
  const binds: Digest[] = [];
  for (const mount of bindsOf(operation.mounts)) {
    const digest = await inputs.bind(mount).known();
    if (digest === undefined) return undefined;
    binds.push(digest);
  }
  return recorded(keysOf(operation, files, context, settings, binds)(settings.host.expectedOwners()), context);
}

/** Whether the same command was ever recorded, on whatever files: where not, it has to run. True also where that cannot be told, since it depends on what mounts show. */
export async function mayBeRecorded(
  operation: RunOperation,
  context: Pick<StepContext, "cache" | "platform" | "epoch">,
  settings: KeySettings,
): Promise<boolean> {
  if (bindsOf(operation.mounts).length > 0) return true;
  const keyFor = keysOf(operation, { layers: [], chain: baseChain([]) }, context, settings, []);
  return (await context.cache.knowsOperation(keyFor("exact"))) || context.cache.knowsOperation(keyFor("flat"));
}

/** What of the settings is part of the key. */
type KeySettings = Pick<RunSettings, "addHosts" | "security">;

/** The step's key, which depends on the owners that a sandbox has. */
function keysOf(
  operation: RunOperation,
  files: Files,
  context: Pick<StepContext, "platform" | "epoch">,
  settings: KeySettings,
  binds: readonly Digest[],
): (owners: OwnerMode) => KeyTree {
  const hosts = settings.addHosts.map((text) => parseAddHost(text).name);
  const security = securityKey(settings.security ?? {});
  const sandbox = { hostname: stepHostname, hosts, ...(security === undefined ? {} : { security }) };
  return (owners) => runKey(operation, keyContext(files, context, writerVersion), { owners, ...sandbox }, binds);
}

async function recorded(key: KeyTree, context: StepContext): Promise<StepOutcome | undefined> {
  const record = context.useCache ? await context.cache.find(key) : undefined;
  return record === undefined ? undefined : { layer: record.layer, created: record.created, cached: true };
}
