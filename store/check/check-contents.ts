import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { digestFromBytes } from "../digest.ts";
import { contentsBytes } from "../layer/sparse-contents.ts";
import type { Tree } from "../layer/tree.ts";

/** A layer's tar with its sparse files whole (see writeContents) against the layer's tree. Undefined where it is right, or has gone meanwhile. */
export async function checkContents(folder: string, tree: Tree): Promise<string | undefined> {
  const path = join(folder, "contents");
  const { size, diffId } = tree;
  const [actual, expected] = [statSync(path, { throwIfNoEntry: false })?.size, contentsBytes(tree) ?? size];
  if (actual === undefined) return undefined;
  if (actual !== expected) return `it has ${actual} bytes instead of ${expected}`;
  try {
    const tar = await digestOfRange(path, 0, size);
    if (tar !== diffId) return `the bytes of its tar hash to ${tar}`;
    for (const entry of tree.entries) {
      if (entry.kind !== "file" || entry.offset < size) continue;
      const file = await digestOfRange(path, entry.offset, entry.size);
      if (file !== entry.digest) return `the bytes of a sparse file hash to ${file}`;
    }
    return undefined;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** `bytes` is not 0. */
async function digestOfRange(path: string, start: number, bytes: number) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { start, end: start + bytes - 1, highWaterMark: 256 * 1024 })) hash.update(chunk);
  return digestFromBytes(hash.digest());
}
