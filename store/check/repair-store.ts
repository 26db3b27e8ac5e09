import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { salvageContainer } from "../containers.ts";
import { type Digest, hexOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { imageReferences } from "../gc/references.ts";
import { emptyTrash, moveToTrash, type RemoveTree } from "../gc/trash.ts";
import { readLayerBlob } from "../layer-blob.ts";
import { readLayerInfo } from "../layer-info.ts";
import { updateStoreIndex } from "../layout.ts";
import { withLock } from "../lock.ts";
import type { Descriptor } from "../oci.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";
import { isUnreadableHere } from "../unreadable-here.ts";
import { verifier } from "../verify.ts";
import { checkCache } from "./check-cache.ts";
import { fileIdentity, type Remedy, type StoreProblem } from "./problem.ts";

export interface RepairOptions extends Abortable {
  readonly removeTree?: RemoveTree;
  /** Hears of a container that could not be repaired and stays as it is: what one is like says nothing of the others. Without it the error ends the repair. */
  readonly onStays?: (container: string, error: Error) => void;
}

/** An image that could not be made whole and was taken off the list; pulling or building it again brings it back. */
export interface LostImage {
  readonly listed: Digest;
  readonly names: readonly string[];
}

/**
 * Repairs what checkStore found: what is damaged goes, but for the files of kept containers, trees are made again from their blobs, and images that are not whole after all that leave the list. Under the store's lock, so that
 * nobody names meanwhile what goes. Throws `signal.reason`: what was repaired by then stays so.
 */
export async function repairStore(
  store: Store,
  problems: readonly StoreProblem[],
  { removeTree, onStays, signal }: RepairOptions = {},
): Promise<readonly LostImage[]> {
  const { root } = store;
  const lost: LostImage[] = [];
  const layerFile = (diffId: Digest, name: string) => join(storePaths.layers(root), hexOf(diffId), name);
  await withLock(storePaths.lock(root), "exclusive", () => {
    for (const { remedy } of problems) takeAway(root, remedy);
  });
  // First what gives room: what is made again may need it.
  await emptyTrash(root, removeTree);
  for (const { remedy } of problems) {
    signal?.throwIfAborted();
    if (remedy.do === "salvage") await salvage(store, remedy.container, onStays);
    if (remedy.do !== "index") continue;
    const info = readLayerInfo(layerFile(remedy.diffId, "info"), remedy.diffId);
    if (info !== undefined && (await isUnreadable(store, info.blobs, signal))) continue;
    for (const name of ["info", "tree"]) moveToTrash(root, layerFile(remedy.diffId, name));
    for (const blob of info?.blobs ?? []) if ((await store.blobs.has(blob)) && (await isIndexed(store, remedy.diffId, blob))) break;
  }
  // What led to something that is gone now.
  for (let left = problems; left.length > 0; ) {
    left = await checkCache(store, new Set(), { signal });
    await withLock(storePaths.lock(root), "exclusive", () => {
      for (const { remedy } of left) takeAway(root, remedy);
    });
  }
  // Each image: one that was listed meanwhile may stand on what went.
  const verify = verifier(store, { signal });
  for (const { listed, entry, names } of await imageReferences(store, () => undefined)) {
    if ((await verify.entry(entry, listed)).some(({ isUnchecked }) => isUnchecked !== true)) lost.push({ listed, names });
  }
  const gone = new Set(lost.map(({ listed }) => listed));
  if (gone.size > 0) {
    await updateStoreIndex(
      root,
      () => store.tempFile("index"),
      (entries) => entries.filter(({ digest }) => !gone.has(digest)),
    );
  }
  await emptyTrash(root, removeTree);
  return lost;
}

async function salvage(store: Store, name: string, onStays: RepairOptions["onStays"]): Promise<void> {
  try {
    await salvageContainer(store, name);
  } catch (error) {
    if (onStays === undefined || !(error instanceof TsbuildError || isSystemError(error))) throw error;
    onStays(name, error);
  }
}

/** What another process put in its place meanwhile stays. */
function takeAway(root: string, remedy: Remedy): void {
  if (remedy.do === "remove" && fileIdentity(remedy.path) === remedy.seen) moveToTrash(root, remedy.path);
}

/** Whether a blob is there that cannot be read here, and so not be indexed again: the tree that it has may be the only one. */
async function isUnreadable(store: Store, blobs: readonly Descriptor[], signal: AbortSignal | undefined): Promise<boolean> {
  for (const blob of blobs) {
    try {
      if (await store.blobs.has(blob)) {
        await readLayerBlob(store.blobs.open(blob, { signal }), { unpackLimits: store.unpackLimits });
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TsbuildError)) throw error;
      if (isUnreadableHere(error)) return true;
    }
  }
  return false;
}

async function isIndexed(store: Store, diffId: Digest, blob: Parameters<Store["layers"]["ensure"]>[1]): Promise<boolean> {
  try {
    await store.layers.ensure(diffId, blob);
    return true;
  } catch (error) {
    // Another form of the layer may do.
    if (error instanceof TsbuildError) return false;
    throw error;
  }
}
