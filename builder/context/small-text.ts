import { isUtf8 } from "node:buffer";
import { basename, dirname } from "node:path";
import { TsbuildError } from "../../store/errors.ts";
import { collect, fileBytes } from "../../store/file-bytes.ts";
import { openConfined } from "./confined-file.ts";

/** A Dockerfile is text that people write; what is larger is something else. */
export const largestText = 16 * 1024 * 1024;

/** All of a Dockerfile or ignore file that comes as a stream; `name` is what errors call it. Throws DOCKERFILE_TOO_LARGE, DOCKERFILE_UNREADABLE. */
export async function collectText(bytes: AsyncIterable<Uint8Array>, name: string): Promise<string> {
  return textOf(await collect(bytes, largestText, () => textTooLarge(name)), name);
}

export function textTooLarge(name: string): TsbuildError {
  return new TsbuildError("DOCKERFILE_TOO_LARGE", `reading ${name}: it is larger than ${largestText} bytes`);
}

/**
 * The text of a Dockerfile. Other bytes than UTF-8's would silently become other words and names, so only comments may have them, where no heredoc could
 * make a comment's line data. Throws DOCKERFILE_UNREADABLE with the line's number.
 */
export function textOf(bytes: Buffer, name: string): string {
  const text = bytes.toString("utf8");
  if (isUtf8(bytes)) return text;
  const mayHoldData = text.includes("<<");
  let start = 0;
  for (let line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const written = bytes.subarray(start, end);
    if (!isUtf8(written) && (mayHoldData || !/^\s*#/.test(written.toString("latin1")))) {
      throw new TsbuildError("DOCKERFILE_UNREADABLE", `reading ${name}: line ${line} is not UTF-8`, { hint: "save it as UTF-8" });
    }
    start = end + 1;
  }
  return text;
}

/** A text file of the host; undefined where there is none. A path that the user names is theirs, so it may be a pipe, and lead anywhere. */
export function readHostText(path: string): Promise<string | undefined> {
  return reading(path, () => collectText(fileBytes(path), path));
}

/**
 * The same for a file that must lie below `root`, as a context may hold a link to a file of the host, which an error's excerpt would show. `name` is
 * what errors call it.
 */
export function readConfinedText(root: string, path: string, name = path): Promise<string | undefined> {
  return reading(name, async () => {
    const handle = await openConfined(root, path);
    try {
      return await collectText(handle.createReadStream({ autoClose: false }), name);
    } finally {
      await handle.close();
    }
  });
}

/** The ignore file that stands beside a Dockerfile of the host. */
export async function readOwnIgnore(dockerfile: string): Promise<{ readonly file: string; readonly text: string } | undefined> {
  const path = `${dockerfile}.dockerignore`;
  const text = await readConfinedText(dirname(path), path);
  return text === undefined ? undefined : { file: basename(path), text };
}

async function reading(name: string, read: () => Promise<string>): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "DOCKERFILE_TOO_LARGE" || code === "DOCKERFILE_UNREADABLE") throw error;
    const problem = code === "EISDIR" ? "it is a directory" : message;
    throw new TsbuildError("DOCKERFILE_UNREADABLE", `reading ${name}: ${problem}`, { cause: error });
  }
}
