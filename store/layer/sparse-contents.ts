import { constants, createReadStream, writeSync } from "node:fs";
import { copyFile, open } from "node:fs/promises";
import { tarParser } from "./tar-parse.ts";
import type { Tree } from "./tree.ts";

const chunkBytes = 256 * 1024;

/**
 * Sparse files stand in a tar in pieces. A tree gives them offsets behind the tar's end, one after the other in the tar's order: there a copy of the tar has them
 * whole. How long that copy is; undefined for a tree without them, whose contents are all in the tar itself.
 */
export function contentsBytes({ size, entries }: Pick<Tree, "size" | "entries">): number | undefined {
  let end = size;
  for (const entry of entries) if (entry.kind === "file") end = Math.max(end, entry.offset + entry.size);
  return end === size ? undefined : end;
}

/** Makes that copy of a plain tar, as a file that must not exist, with holes where the sparse files have them. Flushed. Throws what tarParser throws. */
export async function writeContents(tar: string, target: string, { size, entries }: Pick<Tree, "size" | "entries">): Promise<void> {
  await copyFile(tar, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(target, "r+");
  try {
    let at = size;
    let isSparse = false;
    const parser = tarParser({
      entry(header) {
        isSparse = header.isSparse;
      },
      content(bytes) {
        if (!isSparse) return;
        // In place: a map may have hundreds of thousands of runs.
        for (let done = 0; done < bytes.length; ) done += writeSync(file.fd, bytes, done, bytes.length - done, at + done);
        at += bytes.length;
      },
      hole(bytes) {
        at += bytes;
      },
      contentEnd() {},
    });
    for await (const chunk of createReadStream(tar, { highWaterMark: chunkBytes })) {
      parser.push(chunk);
    }
    parser.end();
    await file.truncate(contentsBytes({ size, entries }) ?? size);
    await file.sync();
  } finally {
    await file.close();
  }
}
