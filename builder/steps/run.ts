import { writerVersion } from "../../store/layer/tar-format.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import { type KeyTree, keyDigest, runKey } from "../plan/key.ts";
import type { RunOperation } from "../plan/operation.ts";
import { parseAddHost, stepHostname } from "../sandbox/network-files.ts";
import type { RunPlace, RunSettings } from "./run-and-commit.ts";
import { type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";

/** RUN: takes the recorded layer, or runs the command in a sandbox and makes a layer of what it changed. Throws StepError when it fails. */
export async function runStep(
  operation: RunOperation,
  files: Files,
  context: StepContext,
  settings: RunSettings,
  place: RunPlace,
): Promise<StepOutcome> {
  const keyFor = (owners: OwnerMode): KeyTree =>
    runKey(operation, keyContext(files, context, writerVersion), {
      owners,
      hostname: stepHostname,
      hosts: settings.addHosts.map((text) => parseAddHost(text).name),
    });
  const recorded = async (owners: OwnerMode): Promise<StepOutcome | undefined> => {
    const record = context.useCache ? await context.cache.find(keyFor(owners)) : undefined;
    return record === undefined ? undefined : { layer: record.layer, created: record.created, cached: true };
  };
  const hit = await recorded(settings.host.expectedOwners());
  if (hit !== undefined) return hit;
  return context.once(keyDigest(keyFor(settings.host.expectedOwners())), async () => {
    // Now it is known what this machine really gives; and another process may have run the step while this one waited.
    const { owners } = await settings.host.open();
    const late = await recorded(owners);
    if (late !== undefined) return late;
    // Loaded now: a cached build has no use for the sandbox.
    const { runAndCommit } = await import("./run-and-commit.ts");
    return context.busy(() => runAndCommit(operation, files, context, settings, place, keyFor));
  });
}
