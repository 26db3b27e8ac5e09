import { join } from "node:path";
import { removeTree } from "../../runtime-addon/index.ts";
import type { Attributes, SourceEntry } from "../../store/layer/entry.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import type { Tree } from "../../store/layer/tree.ts";
import type { LayerInfo } from "../../store/layers.ts";
import type { Store } from "../../store/store.ts";

/** Writes entries as a layer of the store, without mounts or privilege. Times later than `epoch` become it. */
export async function entriesLayer(
  store: Store,
  entries: readonly SourceEntry[],
  epoch: number | undefined,
): Promise<{ readonly info: LayerInfo; readonly tree: Tree }> {
  const scratch = await store.temp("layer");
  try {
    const tar = join(scratch, "layer.tar");
    // The contentId of a COPY leaves all times out: they are not part of what is copied.
    const tree = await writeLayer(epoch === undefined ? entries : entries.map((entry) => clamp(entry, epoch)), tar, {
      sync: true,
      ignoreMtime: () => true,
    });
    return { info: await store.layers.add(tree, { tempTar: tar }), tree };
  } finally {
    await removeTree(scratch);
  }
}

function clamp(entry: SourceEntry, epoch: number): SourceEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque") return entry;
  const { mtime, mtimeNsec }: Attributes = entry;
  return mtime > epoch || (mtime === epoch && mtimeNsec > 0) ? { ...entry, mtime: epoch, mtimeNsec: 0 } : entry;
}
