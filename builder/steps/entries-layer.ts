import { join } from "node:path";
import { type Attributes, type ByteString, removeTree } from "../../runtime-addon/index.ts";
import type { SourceEntry } from "../../store/layer/entry.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import type { Tree } from "../../store/layer/tree.ts";
import type { LayerInfo } from "../../store/layers.ts";
import { createdAt, type Files, keyContext, type StepContext } from "./step.ts";

/** A layer made of entries, or the known one of the same content. */
export interface EntriesLayer {
  readonly layer: LayerInfo;
  /** RFC 3339: when a layer of this content was first made. */
  readonly created: string;
  /** Of what was written, with the digests of what was really read. */
  readonly tree: Tree;
  /** Of the layer's record. */
  readonly secrets: readonly string[];
  /** What there is to say of it, each a line. */
  readonly warnings: readonly string[];
}

/**
 * Writes entries as a layer of the store, without mounts or privilege. Times later than the epoch become it. Where a layer of the same content over
 * the same parent is known, that one is taken, so that what follows stays cached. Times are no part of the content, but of
 * entries that are dated. With an epoch all times follow from the step's key and are: a layer made before, from an archive with other times, is not taken.
 */
export async function entriesLayer(
  entries: readonly SourceEntry[],
  files: Files,
  context: StepContext,
  isDated: (path: ByteString) => boolean = () => false,
): Promise<EntriesLayer> {
  const { store, cache, epoch, signal } = context;
  const scratch = await store.temp("layer");
  try {
    const tar = join(scratch, "layer.tar");
    const tree = await writeLayer(epoch === undefined ? entries : entries.map((entry) => clamp(entry, epoch)), tar, {
      sync: true,
      store: store.root,
      limits: store.unpackLimits,
      signal,
      ignoreMtime: ({ path }) => epoch === undefined && !isDated(path),
    });
    const { secrets = [], warnings = [] } = (await context.layerGate?.(async () => ({ entries: tree.entries, tar }), signal)) ?? {};
    const known = await cache.findContent(keyContext(files, context, writerVersion), tree.contentId);
    if (known !== undefined) {
      return { layer: known.layer, created: known.created, tree, secrets: [...new Set([...secrets, ...(known.secrets ?? [])])], warnings };
    }
    await store.pin(tree.diffId);
    return { layer: await store.layers.add(tree, { tempTar: tar }), created: createdAt(context), tree, secrets, warnings };
  } finally {
    await removeTree(scratch);
  }
}

function clamp(entry: SourceEntry, epoch: number): SourceEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque") return entry;
  const { mtime, mtimeNsec }: Attributes = entry;
  return mtime > epoch || (mtime === epoch && mtimeNsec > 0) ? { ...entry, mtime: epoch, mtimeNsec: 0 } : entry;
}
