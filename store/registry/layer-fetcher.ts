import { setMaxListeners } from "node:events";
import type { Digest } from "../digest.ts";
import { NotFoundError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { LayerRef } from "../open-rootfs.ts";
import type { Store } from "../store.ts";
import { fetchLayer } from "./fetch-layer.ts";
import { checkIsLayer } from "./remote-image.ts";
import type { Repository } from "./repository.ts";
import { singleFlight } from "./single-flight.ts";
import { slots } from "./slots.ts";
import type { TransferSink } from "./transfer-event.ts";
import { reportTransfer } from "./transfer-report.ts";

/**
 * Brings layers into the store when somebody needs them: download, digest check, inflating, diffId check and index (tree) in one pass, several at once, each
 * once however many ask. Nothing is unpacked. A layer is visible when all of it is checked; what was finished stays when the rest is cancelled.
 */
export interface LayerFetcher {
  /** Says where these layers' blobs can be had; several places for one blob are tried in turn. */
  offer(layers: readonly LayerRef[], repository: Repository): void;
  /** Where a blob that the store may lack can be had; likeliest first. */
  placesOf(layer: LayerRef): readonly Repository[];
  /**
   * Afterwards the store has these layers, and they are pinned. A layer that is there in another form (other compression) is there where the store found out for itself that
   * the blob is that layer (LayerStore.hasAs), unless `exactBlobs`: then the blob itself must be. The first failure ends the others, but for layers that another caller waits for; it is thrown when nothing goes on any more. Throws
   * NotFoundError for a layer that is neither here nor offered, UNSUPPORTED_LAYER, IntegrityError, what reading a layer throws, RegistryError, and `signal.reason`.
   */
  fetch(layers: readonly LayerRef[], options?: Abortable & { readonly exactBlobs?: boolean }): Promise<void>;
}

export interface LayerFetcherOptions extends Abortable {
  readonly store: Store;
  /** Layers at once, of all registries together. */
  readonly parallel?: number;
  readonly onEvent?: TransferSink | undefined;
}

/** Holds nothing open between its calls. */
export function openLayerFetcher({
  store,
  // Two hosts' shares; beyond that the inflaters stand in each other's way.
  parallel = 8,
  onEvent,
  signal: lasting,
}: LayerFetcherOptions): LayerFetcher {
  const places = new Map<Digest, Repository[]>();
  const room = slots(parallel);
  const once = sharedWork();

  const placesOf = ({ blob }: LayerRef): readonly Repository[] => places.get(blob.digest) ?? [];

  /** In a form that is known to be the same: that one is pinned then, and looked for again behind it. */
  const isHere = async ({ diffId, blob }: LayerRef): Promise<boolean> => {
    if (!(await store.layers.hasAs(diffId, blob))) return false;
    const kept = await store.layers.info(diffId);
    await store.pin(kept.blob.digest);
    return store.layers.hasAs(diffId, blob);
  };

  /** Also where the store has the blob, but another program put it there and nobody has read it. */
  const obtain = async (layer: LayerRef, signal: AbortSignal): Promise<void> => {
    const { diffId, blob } = layer;
    const release = await room.take({ signal });
    const [likeliest] = placesOf(layer);
    const report = reportTransfer(onEvent, "pull", "layer", blob, likeliest ?? { registry: "", name: "" });
    try {
      if (await store.blobs.has(blob)) {
        await store.layers.ensure(diffId, blob, { signal });
        report.end("present");
        return;
      }
      if (likeliest === undefined)
        throw new NotFoundError(`fetching layer ${blob.digest}: it is not in the store ${store.root}, and no registry is known to have it`);
      checkIsLayer(blob, "fetching an image");
      await fetchLayer(store, layer, placesOf(layer), report, signal);
      report.end("done");
    } catch (error) {
      report.failed(error);
      throw error;
    } finally {
      release();
    }
  };

  return {
    offer(layers, repository) {
      for (const { blob } of layers) {
        const known = places.get(blob.digest) ?? [];
        places.set(blob.digest, known);
        if (!known.some((place) => place.registry === repository.registry && place.name === repository.name)) known.push(repository);
      }
    },
    placesOf,
    async fetch(layers, { exactBlobs = false, signal } = {}) {
      const giveUp = new AbortController();
      const any = AbortSignal.any([giveUp.signal, ...[lasting, signal].filter((one) => one !== undefined)]);
      any.throwIfAborted();
      // A listener for each layer is no leak.
      setMaxListeners(0, any);
      const distinct = new Map(layers.map((layer) => [`${layer.diffId} ${layer.blob.digest}`, layer]));
      await store.pin(...[...distinct.values()].flatMap(({ diffId, blob }) => [diffId, blob.digest]));
      let failure: { readonly error: unknown } | undefined;
      // The largest first: it is the one that all wait for in the end.
      const order = [...distinct].sort(([, a], [, b]) => b.blob.size - a.blob.size);
      const one = async ([key, layer]: [string, LayerRef]) => {
        try {
          if (!exactBlobs && (await isHere(layer))) return;
          await once(key, (own) => obtain(layer, own), any);
        } catch (error) {
          failure ??= { error };
          giveUp.abort();
        }
      };
      await Promise.all(order.map(one));
      if (failure !== undefined) throw failure.error;
    },
  };
}

type SharedWork = (key: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => Promise<void>;

/** Work that several wait for is done once; who leaves last ends it, and waits until it has cleaned up. */
function sharedWork(): SharedWork {
  const flight = singleFlight<void>();
  const running = new Map<string, { readonly signal: AbortSignal; readonly ended: Promise<void> }>();
  return async (key, work, signal) => {
    const joined = flight(
      key,
      (own) => {
        const result = work(own);
        running.set(key, { signal: own, ended: result.catch(() => undefined) });
        return result;
      },
      { signal },
    );
    const mine = running.get(key);
    try {
      await joined;
    } finally {
      if (mine?.signal.aborted) await mine.ended;
      if (running.get(key) === mine) running.delete(key);
    }
  };
}
