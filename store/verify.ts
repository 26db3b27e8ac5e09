import { isDeepStrictEqual } from "node:util";
import type { Digest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import { shownName } from "./image-names.ts";
import type { Image } from "./images.ts";
import type { Tree } from "./layer/tree.ts";
import { readLayerBlob } from "./layer-blob.ts";
import { readStoreIndex } from "./layout.ts";
import type { Descriptor } from "./oci.ts";
import {
  isConfigType,
  isIndexType,
  isLayerType,
  maxConfigBytes,
  maxManifestBytes,
  parseConfig,
  parseIndex,
  parseManifest,
} from "./oci-parse.ts";
import type { Store } from "./store.ts";
import { isUnreadableHere } from "./unreadable-here.ts";
import { blameDamage } from "./verified.ts";

/** One thing that is not as it is said to be. */
export interface Mismatch {
  /** The image's name, or its manifest's digest. */
  readonly image: string;
  /** What was looked at and how it differs, as a message reads. */
  readonly problem: string;
  /** It cannot be read here (too large, a program is missing, of an unknown kind), and may be whole. */
  readonly isUnchecked?: true;
}

/**
 * Recomputes an image from its bytes alone: manifest, config and layers by digest and size, each layer's plain tar by diffId, the store's tree
 * of it against the tar. Reports all that does not fit, not only the first; an empty list means that the image is whole.
 */
export async function verifyImage(store: Store, image: Pick<Image, "names" | "descriptor">): Promise<readonly Mismatch[]> {
  return verifyManifest(store, image.descriptor, image.names[0] ?? image.descriptor.digest);
}

/** All images that index.json lists, of all platforms that are there. */
export async function verifyStore(store: Store): Promise<readonly Mismatch[]> {
  const mismatches: Mismatch[] = [];
  const seen = new Set<Digest>();
  for (const entry of readStoreIndex(store.root).manifests) {
    if (seen.has(entry.digest)) continue;
    seen.add(entry.digest);
    mismatches.push(...(await verifyEntry(store, entry, shownName(entry) ?? entry.digest)));
  }
  return mismatches;
}

/** One entry of index.json, or of an index. `image` is what the mismatches call it. */
export async function verifyEntry(store: Store, entry: Descriptor, image: string): Promise<readonly Mismatch[]> {
  if (!isIndexType(entry.mediaType)) return verifyManifest(store, entry, image);
  const report = reporter(image);
  const index = await report.attempt(async () => parseIndex(await store.blobs.readBytes(entry, maxManifestBytes), entry.digest));
  let there = 0;
  for (const inner of index?.manifests ?? []) {
    // An index may list platforms that were never fetched.
    if (!(await store.blobs.has(inner))) continue;
    there += 1;
    report.mismatches.push(...(await verifyEntry(store, inner, image)));
  }
  if (index !== undefined && index.manifests.length > 0 && there === 0) report.add(`index ${entry.digest}: none of what it lists is there`);
  return report.mismatches;
}

async function verifyManifest(store: Store, descriptor: Descriptor, image: string): Promise<readonly Mismatch[]> {
  const report = reporter(image);
  const manifest = await report.attempt(async () =>
    parseManifest(await store.blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest),
  );
  if (manifest === undefined || !isConfigType(manifest.config.mediaType)) return report.mismatches;
  if (!manifest.layers.every(({ mediaType }) => isLayerType(mediaType))) {
    await verifyBytes(store, [manifest.config, ...manifest.layers], report);
    return report.mismatches;
  }
  const config = await report.attempt(async () =>
    parseConfig(await store.blobs.readBytes(manifest.config, maxConfigBytes), manifest.config.digest),
  );
  const diffIds = config?.rootfs.diff_ids ?? [];
  if (config !== undefined && diffIds.length !== manifest.layers.length) {
    report.add(`manifest ${descriptor.digest} has ${manifest.layers.length} layers, its config ${diffIds.length}`);
  }
  const filled = config?.history?.filter((entry) => entry.empty_layer !== true);
  if (filled !== undefined && filled.length > 0 && filled.length !== diffIds.length) {
    report.add(`the history of config ${manifest.config.digest} tells of ${filled.length} layers, not of ${diffIds.length}`);
  }
  const seen = new Set<string>();
  for (const [i, blob] of manifest.layers.entries()) {
    const key = `${blob.digest} ${diffIds[i]}`;
    if (seen.has(key)) continue;
    seen.add(key);
    await report.attempt(() => verifyLayer(store, `layer[${i}] ${blob.digest}`, blob, diffIds[i], report));
  }
  return report.mismatches;
}

/** Layers that stand alone, bottom first: those of a kept container, which `name` is. */
export async function verifyLayers(
  store: Store,
  layers: readonly { readonly diffId: Digest; readonly blob: Descriptor }[],
  name: string,
): Promise<readonly Mismatch[]> {
  const report = reporter(name);
  for (const [i, { blob, diffId }] of layers.entries()) {
    await report.attempt(() => verifyLayer(store, `layer[${i}] ${blob.digest}`, blob, diffId, report));
  }
  return report.mismatches;
}

/** An attestation has statements in place of layers: only their bytes can be checked. */
async function verifyBytes(store: Store, blobs: readonly Descriptor[], report: Reporter): Promise<void> {
  for (const blob of blobs) {
    await report.attempt(async () => {
      for await (const _ of store.blobs.open(blob));
    });
  }
}

async function verifyLayer(store: Store, name: string, blob: Descriptor, diffId: Digest | undefined, report: Reporter): Promise<void> {
  const open = () => store.blobs.open(blob);
  const { tree } = await blameDamage(open, () => readLayerBlob(open(), { unpackLimits: store.unpackLimits }));
  if (diffId !== undefined && tree.diffId !== diffId)
    report.add(`${name}: the config's diffId is ${diffId}, its plain tar's is ${tree.diffId}`);
  // A layer that another tool put there has no tree yet.
  if (!(await store.layers.has(tree.diffId))) return;
  const stored = await store.layers.tree(tree.diffId);
  compareTrees(name, tree, stored, report);
}

function compareTrees(name: string, actual: Tree, stored: Tree, report: Reporter): void {
  if (stored.size !== actual.size) report.add(`${name}: its tree says ${stored.size} bytes, the plain tar has ${actual.size}`);
  if (stored.entries.length !== actual.entries.length) {
    report.add(`${name}: its tree has ${stored.entries.length} entries, the plain tar ${actual.entries.length}`);
    return;
  }
  for (const [i, entry] of actual.entries.entries()) {
    if (isDeepStrictEqual(entry, stored.entries[i])) continue;
    report.add(`${name}: its tree's entry ${JSON.stringify(stored.entries[i])} is ${JSON.stringify(entry)} in the plain tar`);
    return;
  }
}

interface Reporter {
  readonly mismatches: Mismatch[];
  add(problem: string): void;
  /** Undefined when the work failed, which is then reported. Only what is no TsbuildError (a broken disk) is thrown. */
  attempt<T>(work: () => Promise<T>): Promise<T | undefined>;
}

function reporter(image: string): Reporter {
  const mismatches: Mismatch[] = [];
  const add = (problem: string) => {
    mismatches.push({ image, problem });
  };
  return {
    mismatches,
    add,
    async attempt(work) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof TsbuildError)) throw error;
        mismatches.push({ image, problem: error.message, ...(isUnreadableHere(error) && { isUnchecked: true }) });
        return undefined;
      }
    },
  };
}
