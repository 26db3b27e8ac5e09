import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { TreeEntry } from "../../store/layer/entry.ts";
import { quotePath } from "../../store/layer/entry-path.ts";
import type { LayerLimits } from "../../store/layer/layer-limits.ts";
import { tarParser } from "../../store/layer/tar-parse.ts";
import { readLayer } from "../../store/layer/tar-read.ts";
import type { Tree } from "../../store/layer/tree.ts";
import { contextXattrs } from "./context-xattrs.ts";

/**
 * The index of a plain tar as a context's: every file belongs to root, its top directory has mode 0755 and no attributes, and the others have those of contextXattrs. Throws what
 * readLayer does, RESERVED_NAME for names that no layer can hold, INVALID_TAR for hard links to what is not there.
 */
export async function readContextTar(plain: AsyncIterable<Uint8Array>, limits: LayerLimits): Promise<Tree> {
  const names = reservedNames();
  const { tree } = await readLayer(plain, { onChunk: (chunk) => names.push(chunk), limits });
  const files = new Set<ByteString>(tree.entries.flatMap((entry) => (entry.kind === "file" ? [entry.path] : [])));
  return { ...tree, entries: tree.entries.map((entry) => contextEntry(entry, files)) };
}

/** Seconds: when the newest of its regular files was changed; undefined where it has none. */
export function newestFile({ entries }: Pick<Tree, "entries">): number | undefined {
  const times = entries.flatMap((entry) => (entry.kind === "file" || entry.kind === "hardlink" ? [entry.mtime] : []));
  return times.length === 0 ? undefined : times.reduce((newest, time) => Math.max(newest, time));
}

/** Refuses the names by which a layer's tar says what is removed, before the reader takes them for that: in a context they are files. */
function reservedNames(): { push(chunk: Uint8Array): void } {
  return tarParser({
    entry({ name }, _offset, where) {
      if (!/(?:^|\/)\.wh\./.test(name)) return;
      throw new TsbuildError(
        "RESERVED_NAME",
        `${where}: ${quotePath(name)} cannot be in an image: names beginning with ".wh." mean removals`,
        {
          hint: "leave the file out of the tar",
        },
      );
    },
    content() {},
    hole() {},
    contentEnd() {},
  });
}

function contextEntry(entry: TreeEntry, files: ReadonlySet<ByteString>): TreeEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque") return entry;
  if (entry.kind === "hardlink" && !files.has(entry.target)) {
    throw new TsbuildError(
      "INVALID_TAR",
      `reading a tar: ${quotePath(entry.path)} is a hard link to ${quotePath(entry.target)}, which is no file of it`,
    );
  }
  const { xattrs: all, ...rest } = entry;
  const owned = { ...rest, uid: 0, gid: 0 };
  if (owned.kind === "directory" && owned.path === "") return { ...owned, mode: 0o755 };
  const xattrs = contextXattrs(all);
  return xattrs === undefined ? owned : { ...owned, xattrs };
}
