import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeTempFile } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, isDigest } from "./digest.ts";
import { namesIn } from "./gc/allocated.ts";
import { moveToTrash } from "./gc/trash.ts";
import type { LayerRef } from "./open-rootfs.ts";
import { storePaths } from "./store-paths.ts";

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
 * Keeps a build directory with what a failed command left, in one rename; the oldest go to the trash. It is part of the cache: what collects garbage may take it.
 */
export async function keepFailedStep(root: string, directory: string, state: FailedStepState): Promise<void> {
  const folder = storePaths.failed(root);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await writeTempFile(join(directory, recordName), canonicalJson(state), { sync: false });
  forgetFailedSteps(root, state.build);
  // Names in the order of time, whatever the clock's resolution.
  renameSync(directory, join(folder, `${String(Date.now()).padStart(15, "0")}-${randomBytes(4).toString("hex")}`));
  for (const name of namesOf(root).slice(0, -keptSteps)) moveToTrash(root, join(folder, name));
}

/** What a build kept when it failed is of no use any more. Costs one look where nothing is kept. */
export function forgetFailedSteps(root: string, build: Digest): void {
  for (const one of failedSteps(root)) if (one.state?.build === build) moveToTrash(root, one.directory);
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
    isDigest(String(build)) &&
    Array.isArray(layers) &&
    layers.every((layer: LayerRef | null) => isDigest(String(layer?.diffId)) && isDigest(String(layer?.blob?.digest))) &&
    typeof container === "object"
  );
}
