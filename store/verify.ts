import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Digest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import type { Abortable } from "./file-bytes.ts";
import { shownName } from "./image-names.ts";
import type { Image } from "./images.ts";
import type { Tree } from "./layer/tree.ts";
import { readLayerBlob } from "./layer-blob.ts";
import { readStoreIndex } from "./layout.ts";
import type { Descriptor, Index } from "./oci.ts";
import { isConfigType, isLayerType, maxConfigBytes, maxManifestBytes, parseConfig, parseIndex, parseManifest } from "./oci-parse.ts";
import { walkIndexes } from "./platform-offers.ts";
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
  return verifier(store).entry(image.descriptor, image.names[0] ?? image.descriptor.digest);
}

/** All images that index.json lists, of all platforms that are there. */
export async function verifyStore(store: Store): Promise<readonly Mismatch[]> {
  const { entry: verify } = verifier(store);
  const mismatches: Mismatch[] = [];
  const seen = new Set<Digest>();
  for (const entry of readStoreIndex(store.root).manifests) {
    if (seen.has(entry.digest)) continue;
    seen.add(entry.digest);
    mismatches.push(...(await verify(entry, shownName(entry) ?? entry.digest)));
  }
  return mismatches;
}

/** One run through images of a store: what it has read it does not read again, however often and under whatever names it is listed. */
export interface Verifier {
  /** One entry of index.json. `image` is what the mismatches call it. */
  entry(entry: Descriptor, image: string): Promise<readonly Mismatch[]>;
  /** Layers that stand alone, bottom first: those of a kept container, which `name` is. */
  layers(layers: readonly { readonly diffId: Digest; readonly blob: Descriptor }[], name: string): Promise<readonly Mismatch[]>;
}

/** Its calls throw `signal.reason`. */
export function verifier(store: Store, { signal }: Abortable = {}): Verifier {
  const run: Run = {
    store,
    signal,
    manifest: remembered((descriptor) => verifyManifest(run, descriptor)),
    layer: remembered((blob) => readLayer(run, blob)),
    bytes: remembered((blob) => readBytes(run, blob)),
  };
  return {
    entry: async (entry, image) => named(await verifyEntry(run, entry), image),
    async layers(layers, name) {
      const report = reporter(signal);
      for (const [i, { blob, diffId }] of layers.entries()) await verifyLayer(run, i, blob, diffId, report);
      return named(report.problems, name);
    },
  };
}

type Problem = Omit<Mismatch, "image">;

/** What a layer's blob is: the diffId of its plain tar and how the store's tree differs from that; without a diffId it cannot be read. */
interface ReadLayer {
  readonly diffId?: Digest;
  readonly problems: readonly Problem[];
}

interface Run {
  readonly store: Store;
  readonly signal: AbortSignal | undefined;
  readonly manifest: (descriptor: Descriptor) => Promise<readonly Problem[]>;
  readonly layer: (blob: Descriptor) => Promise<ReadLayer>;
  readonly bytes: (blob: Descriptor) => Promise<readonly Problem[]>;
}

/** The same bytes may be listed any number of times. */
function remembered<T>(read: (descriptor: Descriptor) => Promise<T>): (descriptor: Descriptor) => Promise<T> {
  const known = new Map<string, T>();
  return async (descriptor) => {
    const key = keyOf(descriptor);
    const found = known.get(key) ?? (await read(descriptor));
    known.set(key, found);
    return found;
  };
}

/** Bytes of another size than said are damage. */
function keyOf({ digest, size }: Descriptor): string {
  return `${digest} ${size}`;
}

function named(problems: readonly Problem[], image: string): readonly Mismatch[] {
  return problems.map((problem) => ({ image, ...problem }));
}

async function verifyEntry(run: Run, entry: Descriptor): Promise<readonly Problem[]> {
  const { store, signal } = run;
  const report = reporter(signal);
  const seen = new Set<string>();
  const lists = new Map<Descriptor, Index>();
  // An index may list platforms that were never fetched.
  const isThere = async (inner: Descriptor) => inner === entry || store.blobs.has(inner);
  try {
    await walkIndexes(
      entry,
      async (descriptor) => {
        await turn(signal);
        if (!(await isThere(descriptor))) return undefined;
        const index = await report.attempt(async () =>
          parseIndex(await store.blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest),
        );
        if (index !== undefined) lists.set(descriptor, index);
        return index;
      },
      async (manifest) => {
        if (seen.has(keyOf(manifest))) return;
        seen.add(keyOf(manifest));
        await turn(signal);
        if (await isThere(manifest)) report.problems.push(...(await run.manifest(manifest)));
      },
    );
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof TsbuildError)) throw error;
    report.problems.push({ problem: error.message, isUnchecked: true });
  }
  for (const [{ digest }, { manifests }] of lists) {
    if (manifests.length > 0 && !(await hasAny(run, manifests))) report.add(`index ${digest}: none of what it lists is there`);
  }
  return report.problems;
}

async function hasAny({ store, signal }: Run, blobs: readonly Descriptor[]): Promise<boolean> {
  for (const blob of blobs) {
    await turn(signal);
    if (await store.blobs.has(blob)) return true;
  }
  return false;
}

async function verifyManifest(run: Run, descriptor: Descriptor): Promise<readonly Problem[]> {
  const { blobs } = run.store;
  const report = reporter(run.signal);
  const manifest = await report.attempt(async () => parseManifest(await blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest));
  if (manifest === undefined || !isConfigType(manifest.config.mediaType)) return report.problems;
  if (!manifest.layers.every(({ mediaType }) => isLayerType(mediaType))) {
    // An attestation has statements in place of layers: only their bytes can be checked.
    const all = new Map([manifest.config, ...manifest.layers].map((blob) => [keyOf(blob), blob]));
    for (const blob of all.values()) report.problems.push(...(await run.bytes(blob)));
    return report.problems;
  }
  const config = await report.attempt(async () =>
    parseConfig(await blobs.readBytes(manifest.config, maxConfigBytes), manifest.config.digest),
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
    const key = `${keyOf(blob)} ${diffIds[i]}`;
    if (seen.has(key)) continue;
    seen.add(key);
    await verifyLayer(run, i, blob, diffIds[i], report);
  }
  return report.problems;
}

async function verifyLayer(run: Run, i: number, blob: Descriptor, expected: Digest | undefined, report: Reporter): Promise<void> {
  await turn(run.signal);
  const { diffId, problems } = await run.layer(blob);
  const name = `layer[${i}] ${blob.digest}`;
  if (diffId === undefined) {
    report.problems.push(...problems);
    return;
  }
  if (expected !== undefined && diffId !== expected)
    report.add(`${name}: the config's diffId is ${expected}, its plain tar's is ${diffId}`);
  for (const one of problems) report.problems.push({ ...one, problem: `${name}: ${one.problem}` });
}

async function readLayer({ store, signal }: Run, blob: Descriptor): Promise<ReadLayer> {
  const report = reporter(signal);
  const open = () => store.blobs.open(blob, { signal });
  const tree = await report.attempt(
    async () => (await blameDamage(open, () => readLayerBlob(open(), { unpackLimits: store.unpackLimits }))).tree,
  );
  if (tree === undefined) return report;
  // A layer that another tool put there has no tree yet.
  if (await store.layers.has(tree.diffId)) {
    const stored = await report.attempt(() => store.layers.tree(tree.diffId));
    if (stored !== undefined) compareTrees(tree, stored, report);
  }
  return { diffId: tree.diffId, problems: report.problems };
}

async function readBytes({ store, signal }: Run, blob: Descriptor): Promise<readonly Problem[]> {
  const report = reporter(signal);
  await report.attempt(async () => {
    for await (const _ of store.blobs.open(blob, { signal }));
  });
  return report.problems;
}

/** Documents are read by synchronous calls: without it no signal would be heard between them. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}

function compareTrees(actual: Tree, stored: Tree, report: Reporter): void {
  if (stored.size !== actual.size) report.add(`its tree says ${stored.size} bytes, the plain tar has ${actual.size}`);
  if (stored.entries.length !== actual.entries.length) {
    report.add(`its tree has ${stored.entries.length} entries, the plain tar ${actual.entries.length}`);
    return;
  }
  for (const [i, entry] of actual.entries.entries()) {
    if (isDeepStrictEqual(entry, stored.entries[i])) continue;
    report.add(`its tree's entry ${JSON.stringify(stored.entries[i])} is ${JSON.stringify(entry)} in the plain tar`);
    return;
  }
}

interface Reporter {
  readonly problems: Problem[];
  add(problem: string): void;
  /** Undefined when the work failed, which is then reported. Only what is no TsbuildError (a broken disk) is thrown, and `signal.reason`. */
  attempt<T>(work: () => Promise<T>): Promise<T | undefined>;
}

function reporter(signal: AbortSignal | undefined): Reporter {
  const problems: Problem[] = [];
  return {
    problems,
    add(problem) {
      problems.push({ problem });
    },
    async attempt(work) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TsbuildError)) throw error;
        problems.push({ problem: error.message, ...(isUnreadableHere(error) && { isUnchecked: true }) });
        return undefined;
      }
    },
  };
}
