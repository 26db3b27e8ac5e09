import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeTempFile } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import { namesIn } from "./gc/allocated.ts";
import { livingPins } from "./gc/pins.ts";
import { moveToTrash } from "./gc/trash.ts";
import { withLock } from "./lock.ts";
import type { LayerRef } from "./open-rootfs.ts";
import type { Store } from "./store.ts";
import { failedPinText, storePaths } from "./store-paths.ts";

/** A step whose command failed, as it was left. */
export interface FailedStepState {
  /** "[builder 2/5] RUN npm ci" */
  readonly title: string;
  /** Which build it was of: the next one that is of the same takes its place. */
  readonly build: Digest;
  /** All that it needs, bottom first: what it stands on, and what it had mounted. */
  readonly layers: readonly LayerRef[];
  /** The container that it ran in, as whoever kept it describes that. */
  readonly container: unknown;
}

/** How many steps are kept, of whatever builds. */
const keptSteps = 3;

const recordName = "failed.json";

/**
 * Keeps a build directory with what a failed command left, in one rename; the oldest go to the trash, but not while a process uses them. It is part of the cache: what collects garbage may take it.
 */
export async function keepFailedStep(root: string, directory: string, state: FailedStepState): Promise<void> {
  const folder = storePaths.failed(root);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await writeTempFile(join(directory, recordName), canonicalJson(state), { sync: false });
  await forgetFailedSteps(root, state.build);
  // Names in the order of time, whatever the clock's resolution, and where it was set back.
  const last = Number(namesOf(root).at(-1)?.slice(0, 15) ?? 0);
  const number = String(Math.max(Date.now(), last + 1)).padStart(15, "0");
  renameSync(directory, join(folder, `${number}-${randomBytes(4).toString("hex")}`));
  const old = () => namesOf(root).slice(0, -keptSteps);
  if (old().length > 0) await dropUnused(root, old);
}

/** What a build kept when it failed is of no use any more, but to processes that use it. Costs one look where nothing is kept. */
export async function forgetFailedSteps(root: string, build: Digest): Promise<void> {
  const ofBuild = () => failedSteps(root).flatMap(({ directory, state }) => (state?.build === build ? [basename(directory)] : []));
  if (ofBuild().length > 0) await dropUnused(root, ofBuild);
}

/** The step that failed last, which stays as it is until the store is closed. Undefined where none is kept. */
export async function holdLastFailedStep(
  store: Store,
): Promise<{ readonly directory: string; readonly state: FailedStepState } | undefined> {
  for (;;) {
    const last = failedSteps(store.root).findLast(({ state }) => state !== undefined);
    if (last?.state === undefined) return undefined;
    const { directory, state } = last;
    const layers = state.layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]);
    await store.pin(digestOf(failedPinText(basename(directory))), ...layers);
    // What is pinned stays, if it was still there.
    if (existsSync(directory)) return { directory, state };
  }
}

/** Under the lock nothing is pinned anew. */
async function dropUnused(root: string, names: () => readonly string[]): Promise<void> {
  await withLock(storePaths.lock(root), "exclusive", async () => {
    const { digests } = await livingPins(root);
    for (const name of names()) {
      if (!digests.has(digestOf(failedPinText(name)))) moveToTrash(root, join(storePaths.failed(root), name));
    }
  });
}

/** Oldest first; `state` is undefined where it cannot be read. */
export function failedSteps(root: string): readonly { readonly directory: string; readonly state?: FailedStepState }[] {
  return namesOf(root).map((name) => {
    const directory = join(storePaths.failed(root), name);
    const state = readState(join(directory, recordName));
    return { directory, ...(state === undefined ? {} : { state }) };
  });
}

function namesOf(root: string): readonly string[] {
  return namesIn(storePaths.failed(root))
    .filter((name) => /^\d{15}-[0-9a-f]{8}$/.test(name))
    .sort();
}

function readState(path: string): FailedStepState | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isState(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

function isState(value: unknown): value is FailedStepState {
  if (typeof value !== "object" || value === null) return false;
  const { title, build, layers, container } = value as Record<keyof FailedStepState, unknown>;
  return (
    typeof title === "string" &&
    typeof build === "string" &&
    isDigest(build) &&
    Array.isArray(layers) &&
    layers.every((layer: LayerRef | null) =>
      [layer?.diffId, layer?.blob?.digest].every((digest) => typeof digest === "string" && isDigest(digest)),
    ) &&
    typeof container === "object"
  );
}
