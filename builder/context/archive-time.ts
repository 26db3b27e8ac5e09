import { plainBytes } from "../../store/compression.ts";
import { TsbuildError } from "../../store/errors.ts";
import { type Abortable, fileBytes } from "../../store/file-bytes.ts";
import { tarParser } from "../../store/layer/tar-parse.ts";

/** Seconds: when the newest regular file of a tar, compressed or not, was changed; undefined where it has none, and for what is no tar or a broken one. */
export async function archiveTime(path: string, options: Abortable = {}): Promise<number | undefined> {
  let newest: number | undefined;
  const parser = tarParser({
    // A hard link is a file's other name.
    entry({ type, mtime }) {
      if (type === "0" || type === "1") newest = Math.max(newest ?? mtime, mtime);
    },
    content() {},
    contentEnd() {},
  });
  try {
    for await (const chunk of plainBytes(fileBytes(path, options), options)) parser.push(chunk);
    parser.end();
  } catch (error) {
    if (error instanceof TsbuildError && unreadable.includes(error.code)) return undefined;
    throw error;
  }
  return newest;
}

const unreadable = ["INVALID_TAR", "UNSUPPORTED_TAR", "INVALID_COMPRESSION"];
