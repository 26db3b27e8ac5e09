import { type ByteString, openTarSink, type TarPiece, type TarSink } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes, digestOf, digestsFromBytes, parseDigest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { defaultUnpackLimits, type UnpackLimits } from "../unpack-limits.ts";
import { canonicalEntries, isRemoval, sortEntries, tarOrder } from "./canonical.ts";
import { contentIdOf } from "./content-id.ts";
import type { ContentRef, FileEntry, IndexedFile, NodeEntry, SourceEntry, TreeEntry } from "./entry.ts";
import { baseName, joinPath, opaqueMarker, parentPath, quotePath, whiteoutPrefix } from "./entry-path.ts";
import { writtenLayerMeter } from "./layer-limits.ts";
import { refuseBytes, refuseSize } from "./layer-size.ts";
import { type CanonicalHeader, emptyFile, headerEncoder, padded, type TypeFlag, trailerBytes } from "./tar-format.ts";
import type { Tree } from "./tree.ts";

export interface WriteLayerOptions extends Abortable {
  /** Flush the file to disk before returning. */
  readonly sync: boolean;
  /** Which mtimes the contentId leaves out. The tar holds them all. */
  readonly ignoreMtime: (entry: NodeEntry) => boolean;
  readonly limits?: Partial<UnpackLimits>;
  /** Root of the store that it is written in. */
  readonly store?: string;
}

/**
 * Writes the entries as a new tar in canonical form (tar-format.ts) and returns its tree. `file` must not exist. Contents are read once, where
 * their references say; on failure no file is left. Throws FILE_CHANGED when a file is not as long as its entry says, TOO_LARGE
 * where readLayer would refuse it and STORE_FULL where the store has no room for it, both for its size before anything is written, what canonicalEntries refuses, and `signal.reason`.
 */
export async function writeLayer(entries: readonly SourceEntry[], file: string, options: WriteLayerOptions): Promise<Tree> {
  const ordered = tarOrder(canonicalEntries(entries));
  const limits = { ...defaultUnpackLimits, ...options.limits };
  options.signal?.throwIfAborted();
  refuseSize(ordered, limits, options.store);
  const sink = openTarSink(file);
  try {
    const inTarOrder = await writeEntries(ordered, sink, limits, options.signal);
    const written = ordered.some(isRemoval) ? sortEntries(inTarOrder) : inTarOrder;
    const { digest, size } = await sink.finish({ sync: options.sync });
    return { diffId: parseDigest(`sha256:${digest}`), contentId: contentIdOf(written, options), size, entries: written };
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

// Enough work for one trip to the addon's threads, little enough to keep memory flat.
const batchPieces = 4096;
const batchBytes = 1024 * 1024;

/** A file of the result until its digest is known. */
type Unfinished = Omit<IndexedFile, "digest"> & { digest: Digest };

interface Batch {
  readonly pieces: TarPiece[];
  /** The files whose digests the sink will tell, in order. */
  readonly files: Unfinished[];
}

async function writeEntries(
  entries: readonly SourceEntry[],
  sink: TarSink,
  limits: UnpackLimits,
  signal: AbortSignal | undefined,
): Promise<TreeEntry[]> {
  const written: TreeEntry[] = [];
  const encoder = headerEncoder(2 * batchBytes);
  const meter = writtenLayerMeter(limits);
  let batch: Batch = { pieces: [], files: [] };
  let contentBytes = 0;
  let sentBytes = 0;
  let inFlight: Promise<void> = Promise.resolve();

  const takeHeaders = (): void => {
    const bytes = encoder.take();
    if (bytes.length > 0) batch.pieces.push({ bytes });
  };
  const send = async (): Promise<void> => {
    takeHeaders();
    const { pieces, files } = batch;
    batch = { pieces: [], files: [] };
    sentBytes = encoder.total;
    await inFlight;
    // Not awaited here: the next headers are encoded while the sink works on these pieces.
    inFlight = sink.write(pieces, signal).then((digests) => setDigests(files, digests));
    encoder.reuse();
    inFlight.catch(() => {
      // Whoever awaits it next gets the error; until then it must not count as unhandled.
    });
  };

  try {
    for (const entry of entries) {
      meter.entry(entry.path, "writing a layer", "target" in entry ? entry.target : undefined, "mode" in entry ? entry : undefined);
      encoder.add(headerOf(entry));
      // Headers may take more than a block.
      refuseBytes(encoder.total + contentBytes + trailerBytes, limits);
      if (entry.kind !== "file") written.push(entry);
      else {
        const { content } = entry;
        const offset = encoder.total + contentBytes;
        if (content.at === "bytes") {
          checkLength(entry.path, content.bytes, entry.size);
          encoder.addContent(content.bytes);
          written.push(indexedFile(entry, digestOf(content.bytes), offset));
        } else {
          takeHeaders();
          batch.pieces.push(pieceOf(content, entry.size));
          const file: Unfinished = indexedFile(entry, unknownDigest, offset);
          written.push(file);
          batch.files.push(file);
          contentBytes += padded(entry.size);
        }
      }
      if (batch.pieces.length >= batchPieces || encoder.total - sentBytes >= batchBytes) await send();
    }
    encoder.addContent(new Uint8Array(trailerBytes));
    await send();
    await inFlight;
  } catch (error) {
    // The sink must be idle before it can be aborted; the first error is the one to report.
    await inFlight.catch(() => {});
    throw error;
  }
  return written;
}

// Stands in until the sink has read the content.
const unknownDigest: Digest = digestFromBytes(new Uint8Array(32));

function setDigests(files: readonly Unfinished[], bytes: Buffer): void {
  const digests = digestsFromBytes(bytes);
  for (const [i, file] of files.entries()) file.digest = digests[i] ?? unknownDigest;
}

/** Field by field: for tens of thousands of files a rest of the entry would cost more than writing them. */
function indexedFile(entry: FileEntry, digest: Digest, offset: number): IndexedFile {
  const { path, mode, uid, gid, mtime, mtimeNsec, xattrs, size } = entry;
  const file: IndexedFile = { kind: "file", path, mode, uid, gid, mtime, mtimeNsec, size, digest, offset };
  return xattrs === undefined ? file : { ...file, xattrs };
}

function checkLength(path: ByteString, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size)
    throw new TsbuildError("INVALID_LAYER", `writing a layer: ${quotePath(path)}: ${bytes.length} bytes given, ${size} announced`);
}

function pieceOf(content: Exclude<ContentRef, { at: "bytes" }>, size: number): TarPiece {
  return content.at === "path" ? { root: content.root, path: content.path, size } : { tar: content.tar, offset: content.offset, size };
}

const typeFlags: Record<NodeEntry["kind"], TypeFlag> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** How an entry is spelled in a tar. */
export function headerOf(entry: SourceEntry): CanonicalHeader {
  if (entry.kind === "whiteout") return emptyFile(joinPath(parentPath(entry.path), (whiteoutPrefix + baseName(entry.path)) as ByteString));
  if (entry.kind === "opaque") return emptyFile(joinPath(entry.path, opaqueMarker as ByteString));
  const device = entry.kind === "char" || entry.kind === "block";
  return {
    name: entry.kind === "directory" ? (`${entry.path === "" ? "." : entry.path}/` as ByteString) : entry.path,
    type: typeFlags[entry.kind],
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.kind === "file" ? entry.size : 0,
    mtime: entry.mtime,
    mtimeNsec: entry.mtimeNsec,
    linkName: entry.kind === "symlink" || entry.kind === "hardlink" ? entry.target : undefined,
    major: device ? entry.major : 0,
    minor: device ? entry.minor : 0,
    // A link has its file's attributes; said once, they cannot disagree.
    xattrs: entry.kind === "hardlink" ? undefined : entry.xattrs,
  };
}
