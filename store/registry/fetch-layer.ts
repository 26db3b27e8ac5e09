import type { Bytes } from "../blobs.ts";
import { discardFile } from "../discard.ts";
import { IntegrityError, TsbuildError } from "../errors.ts";
import type { StagedLayer } from "../layers.ts";
import type { LayerRef } from "../open-rootfs.ts";
import { refuseWithoutRoom } from "../room.ts";
import type { Store } from "../store.ts";
import { teeToFile } from "../tee-file.ts";
import { RegistryError } from "./registry-error.ts";
import type { Repository } from "./repository.ts";
import type { TransferReport } from "./transfer-report.ts";

/**
 * Brings one layer into the store from the first place that has it whole. The bytes pass once: to a temp file, through the check of the blob's digest, the inflater, the
 * check of the diffId, into the tree. What a place cannot give, or gives wrong, the next one is asked for; where there is one place, it gets a second chance for wrong bytes.
 */
export async function fetchLayer(
  store: Store,
  layer: LayerRef,
  places: readonly Repository[],
  report: TransferReport,
  signal: AbortSignal,
): Promise<void> {
  refuseWithoutRoom(store.root, layer.blob.size, `fetching layer ${layer.blob.digest}`);
  const failures: unknown[] = [];
  const queue = [...places];
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    const failure = await fetchFrom(store, layer, place, report, signal);
    if (failure === undefined) return;
    failures.push(failure.error);
    if (places.length === 1 && failures.length === 1 && failure.error instanceof IntegrityError) queue.push(place);
    if (queue.length > 0) report.retry(failure.error instanceof TsbuildError ? failure.error.message : "the transfer failed");
  }
  // The likeliest place's own words.
  throw namingUrls(layer, failures[0]);
}

/** Undefined when all went well; a failure of the place, after which another may do better. Throws what no other place can mend. */
async function fetchFrom(
  store: Store,
  { diffId, blob }: LayerRef,
  place: Repository,
  report: TransferReport,
  signal: AbortSignal,
): Promise<{ readonly error: unknown } | undefined> {
  const file = await store.tempFile("download");
  let failure: { readonly error: unknown } | undefined;
  const giveUp = new AbortController();
  const own = AbortSignal.any([signal, giveUp.signal]);
  const download = watched(place.download(blob, { signal: own, onProgress: report.progress, onRetry: report.retry }), (error) => {
    failure = { error };
  });
  const bytes = teeToFile(download, file, { sync: true, signal: own });
  let staged: StagedLayer | undefined;
  try {
    staged = await store.layers.stage(diffId, blob, lent(bytes), { signal });
    await drain(bytes);
    // Another process may have been faster; then its file stays.
    if (!(await store.blobs.has(blob))) await store.blobs.adopt(file, blob);
    await staged.publish();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    // What breaks over wrong bytes breaks before their end, where it shows that they are wrong.
    if (failure === undefined && isAboutContent(error)) await drain(bytes).catch(() => undefined);
    signal.throwIfAborted();
    if (failure !== undefined) return failure;
    throw naming(blob.digest, place, error);
  } finally {
    // Where the reading failed, the next bytes may still be waited for, and a registry may be silent for long.
    giveUp.abort();
    await bytes.return();
    staged?.discard();
    discardFile(file);
  }
}

async function* watched(source: Bytes, onFailure: (error: unknown) => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* source;
  } catch (error) {
    onFailure(error);
    throw error;
  }
}

/** The same iteration for a reader that may leave it early, at the end of the compressed data: what follows must still come, and be checked. */
function lent(bytes: AsyncGenerator<Uint8Array, void, undefined>): Bytes {
  return { [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }) };
}

async function drain(bytes: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
  for await (const _ of bytes);
}

/** A layer that became too large is not read to its end to learn more. */
function isAboutContent(error: unknown): boolean {
  return error instanceof TsbuildError && error.code !== "TOO_LARGE";
}

/** What is wrong with a tar does not say by itself whose it is. */
function naming(digest: string, { registry, name }: Repository, error: unknown): unknown {
  if (!(error instanceof TsbuildError) || error instanceof IntegrityError) return error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new TsbuildError(error.code, `fetching layer ${digest} from ${registry}/${name}: ${error.message}`, { cause: error, ...hint });
}

/** Layers that may not be given on are said to be elsewhere, where nothing can be had by the distribution API. */
function namingUrls({ blob }: LayerRef, error: unknown): unknown {
  const hosts = (blob.urls ?? []).flatMap((url) => (URL.canParse(url) ? new URL(url).host : []));
  if (hosts.length === 0 || !(error instanceof RegistryError) || error.code !== "REGISTRY_NOT_FOUND") return error;
  return new TsbuildError(
    "UNSUPPORTED_LAYER",
    `fetching layer ${blob.digest}: its registry does not have it, only ${[...new Set(hosts)].join(", ")}, which is no registry`,
    { cause: error, hint: "push the image to a registry together with its foreign layers" },
  );
}
