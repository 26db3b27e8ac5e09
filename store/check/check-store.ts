import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DamagedContainer, listContainers } from "../containers.ts";
import type { Digest } from "../digest.ts";
import { isDigest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { imageReferences } from "../gc/references.ts";
import { readStoreIndex } from "../layout.ts";
import { isFull } from "../spare-file.ts";
import type { Store } from "../store.ts";
import { verifier } from "../verify.ts";
import { checkBlobs } from "./check-blobs.ts";
import { checkCache } from "./check-cache.ts";
import { checkLayers } from "./check-layers.ts";
import type { StoreProblem } from "./problem.ts";

/**
 * Reads all of a store and says what is not as it must be: every blob by its digest, every listed image down to the entries of its layers, every tree against its tar, unpacked
 * directories and inflated tars against their layers, records, and where references lead. Other processes may go on meanwhile: images are pinned for it where there is room to, the rest may come and go. What ended
 * processes left is no problem, nor is what nothing needs: prune takes it. Throws STORE_DAMAGED and INVALID_DOCUMENT where index.json cannot be read.
 */
export async function checkStore(store: Store, options: Abortable = {}): Promise<readonly StoreProblem[]> {
  const images = await imageReferences(store, () => undefined);
  const unreadable: StoreProblem[] = [];
  const containers = await listContainers(store.root, (damaged) => unreadable.push(damagedContainer(damaged)));
  try {
    await store.pin(...images.flatMap(({ blobs, layers }) => [...blobs, ...layers]));
  } catch (error) {
    // What is full is looked at all the same: an image that leaves the list meanwhile is no problem, and as long as it is listed it stays.
    if (!isFull(error)) throw error;
  }
  const blobs = await checkBlobs(store.root, options);
  const damaged = new Set<Digest>(blobs.flatMap(({ subject }) => (isDigest(subject) ? subject : [])));
  // First: looking at an image makes the trees of its layers again where they are damaged.
  const layers = await checkLayers(store, damaged, options);
  const problems: StoreProblem[] = [...blobs];
  const verify = verifier(store, options);
  for (const { listed, entry, names } of images) {
    options.signal?.throwIfAborted();
    // Its content was pinned too late, perhaps, where it has left the list meanwhile.
    const mismatches = await verify.entry(entry, names[0] ?? listed);
    if (mismatches.length === 0 || !readStoreIndex(store.root).manifests.some(({ digest }) => digest === listed)) continue;
    for (const { image, problem, isUnchecked } of mismatches)
      problems.push({ kind: "image", subject: image, problem, remedy: isUnchecked ? { do: "nothing" } : { do: "unlist", listed } });
  }
  for (const { name, layers: below, directory } of containers) {
    options.signal?.throwIfAborted();
    const mismatches = await verify.layers(below, name);
    // Its own files may be worth more than what they stand on: pulling or building that again makes it whole.
    if (existsSync(directory))
      for (const { problem } of mismatches) problems.push({ kind: "container", subject: name, problem, remedy: { do: "nothing" } });
  }
  problems.push(...unreadable);
  problems.push(...layers);
  problems.push(...(await checkCache(store, damaged, options)));
  return problems;
}

/** Nobody can commit it any more, and nothing is collected as long as it is so: what it needs is unknown. Its files may be worth more than that. */
function damagedContainer({ name, problem, directory, isRunning }: DamagedContainer): StoreProblem {
  const remedy = isRunning ? ({ do: "nothing" } as const) : ({ do: "salvage", container: name } as const);
  return { kind: "container", subject: name, problem: `${problem}; its files are in ${join(directory, "upper")}`, remedy };
}
