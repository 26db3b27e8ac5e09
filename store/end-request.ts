import { closeSync, constants, existsSync, watch } from "node:fs";
import { join } from "node:path";
import { isSystemError, lockFile } from "../runtime-addon/index.ts";
import { type HeldContainer, holdContainer, type ListedContainer, lockName } from "./containers.ts";
import { TsbuildError } from "./errors.ts";
import { openIfThere } from "./regular-file.ts";
import type { Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

// Whoever runs a container is asked to kill it, and does that itself: a process that is found by its id may be another by then, or stand in a pid namespace that is not ours.

/** A file in the container's directory. */
const requestName = "end-request";

/** A command that is killed ends at once; then its files are written to the disk. */
const patienceMs = 10_000;

/**
 * Holds a container as holdContainer does; one that runs is ended first, by SIGKILL. Throws as that does: CONTAINER_RUNNING where whoever has it does not let go
 * in time, and the signal's reason.
 */
export async function holdEnded(
  store: Store,
  name: string,
  { signal, waitMs = patienceMs }: { readonly signal?: AbortSignal; readonly waitMs?: number } = {},
): Promise<HeldContainer & { readonly container: ListedContainer }> {
  try {
    return await holdContainer(store, name);
  } catch (error) {
    if (!(error instanceof TsbuildError && error.code === "CONTAINER_RUNNING")) throw error;
  }
  const late = AbortSignal.timeout(waitMs);
  try {
    await requestEnd(join(storePaths.containers(store.root), name), signal === undefined ? late : AbortSignal.any([late, signal]));
  } catch (error) {
    if (error !== late.reason) throw error;
  }
  return holdContainer(store, name);
}

/** Resolves when nobody holds it any more, or when it is gone. */
async function requestEnd(directory: string, signal: AbortSignal): Promise<void> {
  const request = openIfThere(join(directory, requestName), constants.O_WRONLY | constants.O_CREAT, 0o600);
  if (request === undefined) return;
  closeSync(request);
  const lock = openIfThere(join(directory, lockName), constants.O_RDONLY);
  if (lock === undefined) return;
  try {
    await lockFile(lock, "shared", { wait: true, signal });
  } finally {
    closeSync(lock);
  }
}

/** Calls `end` once somebody asks for the end of the container in `directory`, until it is closed. Where the machine has no watches left nobody is heard. */
export function onEndRequest(directory: string, end: () => void): { close(): void } {
  let isAsked = false;
  const look = (): void => {
    if (isAsked || !existsSync(join(directory, requestName))) return;
    isAsked = true;
    end();
  };
  try {
    const watcher = watch(directory, { persistent: false }, look).on("error", () => {});
    look();
    return watcher;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { close: () => {} };
  }
}
