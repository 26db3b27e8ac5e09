import type { RunOperation } from "../plan/operation.ts";
import type { ContainerMount } from "../sandbox/container-mounts.ts";
import type { OpenHost } from "../sandbox/ladder.ts";
import { type CacheGate, openCacheGate } from "../secrets/cache-gate.ts";
import type { RunInputs } from "./run-inputs.ts";
import { containerMounts } from "./run-mounts.ts";
import type { RunSettings } from "./run-settings.ts";
import type { Files, StepContext } from "./step.ts";
import { openStepAgents, type StepAgents } from "./step-agents.ts";
import { openStepSecrets, type StepSecrets } from "./step-secrets.ts";

/** What was opened for one step alone. */
export interface StepResources {
  readonly mounts: readonly ContainerMount[];
  readonly secrets: StepSecrets;
  readonly agents: Pick<StepAgents, "of">;
  readonly cacheGate: CacheGate;
  /** Variables that are no part of the key. */
  readonly env: Readonly<Record<string, string>>;
}

export interface StepPlaces {
  readonly files: Files;
  readonly context: StepContext;
  readonly host: OpenHost;
  readonly inputs: RunInputs;
}

/**
 * Opens the mounts of a RUN, secrets, agents and caches with them, hands them to `work`, and closes them when that is done. `onNote` hears what is said of the step,
 * `onWarning` of its secrets. Throws as openStepSecrets, openStepAgents and the sources of the mounts do.
 */
export async function withStepResources<T>(
  operation: Pick<RunOperation, "args" | "env" | "documents" | "mounts">,
  { files, context, host, inputs }: StepPlaces,
  settings: RunSettings,
  { onNote, onWarning }: { readonly onNote: (message: string) => void; readonly onWarning: (message: string) => void },
  work: (resources: StepResources) => Promise<T>,
): Promise<T> {
  const rootfs = await context.rootfs(files.layers);
  const secrets = await openStepSecrets(operation, settings.secrets, onWarning);
  const agents = await openStepAgents(operation, settings.ssh, { store: context.store, host });
  try {
    const caches = await settings.caches.hold(operation.mounts, { context, host, inputs, onNote: settings.onNote });
    try {
      const mounts = await containerMounts(operation.mounts, { inputs, rootfs, caches, secrets, agents });
      const cacheGate = await openCacheGate(caches.writable, {
        secrets,
        allowed: settings.secrets,
        work: host.work,
        onNote,
        signal: context.signal,
      });
      try {
        return await work({ mounts, secrets, agents, cacheGate, env: { ...agents.env, ...secrets.env } });
      } finally {
        await cacheGate.close();
      }
    } finally {
      caches.release();
    }
  } finally {
    await agents.close();
  }
}
