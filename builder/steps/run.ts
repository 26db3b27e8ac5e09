import { writerVersion } from "../../store/layer/tar-format.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import { type KeyTree, runKey } from "../plan/key.ts";
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
  if (context.useCache) {
    const record = await context.cache.find(keyFor(settings.host.expectedOwners()));
    if (record !== undefined) return { layer: record.layer, created: record.created, cached: true };
  }
  // Loaded now: a cached build has no use for the sandbox.
  const { runAndCommit } = await import("./run-and-commit.ts");
  return context.busy(() => runAndCommit(operation, files, context, settings, place, keyFor));
}
