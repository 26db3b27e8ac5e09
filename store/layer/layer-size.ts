import { TsbuildError } from "../errors.ts";
import { refuseWithoutRoom } from "../room.ts";
import type { UnpackLimits } from "../unpack-limits.ts";
import type { SourceEntry } from "./entry.ts";
import { hintOf } from "./layer-limits.ts";
import { padded, trailerBytes } from "./tar-format.ts";
import type { Tree } from "./tree.ts";

const headerBytes = 512;

type Limit = Pick<UnpackLimits, "plainBytes">;

/** A command makes a file of any length at no cost (ftruncate(2)), and its tar has all of it: throws TOO_LARGE and STORE_FULL for what could not be written to the end. */
export function refuseSize(entries: readonly SourceEntry[], limits: Limit, store: string | undefined): void {
  let bytes = trailerBytes;
  let largest = 0;
  for (const entry of entries) {
    bytes += headerBytes;
    if (entry.kind !== "file") continue;
    bytes += padded(entry.size);
    largest = Math.max(largest, entry.size);
  }
  // Without its name, which may be a secret's.
  const doing = `writing a layer whose largest file has ${largest} bytes`;
  refuseBytes(bytes, limits, doing);
  if (store !== undefined) refuseWithoutRoom(store, bytes, doing);
}

/** Of most file systems. */
const blockBytes = 4096;

/**
 * What a layer takes when it is unpacked: whole blocks, of which a tar of many small files needs far fewer. Of sparse files only what the tar has of them; that zeros of others become holes is
 * not known before.
 */
export function unpackedBytes({ size, entries }: Pick<Tree, "size" | "entries">): number {
  let bytes = 0;
  let whole = 0;
  let hasSparse = false;
  for (const entry of entries) {
    if (entry.kind === "directory") bytes += blockBytes;
    if (entry.kind !== "file") continue;
    if (entry.offset >= size) hasSparse = true;
    else {
      bytes += Math.ceil(entry.size / blockBytes) * blockBytes;
      whole += entry.size;
    }
  }
  return hasSparse ? bytes + size - whole : bytes;
}

/** Throws TOO_LARGE. */
export function refuseBytes(bytes: number, { plainBytes }: Limit, doing = "writing a layer"): void {
  if (bytes <= plainBytes) return;
  throw new TsbuildError("TOO_LARGE", `${doing}: ${bytes} bytes, and at most ${plainBytes} are written`, {
    hint: hintOf("max_layer_size"),
  });
}
