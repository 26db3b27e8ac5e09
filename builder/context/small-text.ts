import { isUtf8 } from "node:buffer";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { TsbuildError } from "../../store/errors.ts";
import { collect, fileBytes } from "../../store/file-bytes.ts";
import { type ConfinedNaming, openConfined } from "./confined-file.ts";
import type { IgnoreFile } from "./open-context.ts";

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

/** A text file of the host; undefined where there is none. A path that the user names is theirs, so it may be a shell's pipe, and lead anywhere. */
export function readHostText(path: string): Promise<string | undefined> {
  return reading(path, async () => {
    // Opening one waits for a writer, and nothing ends that. What a shell hands over (/dev/fd/63) has one.
    if ((await stat(path)).isFIFO() && !/^\/(?:dev|proc)\//.test(path)) {
      throw new TsbuildError("DOCKERFILE_UNREADABLE", `reading ${path}: it is a FIFO`, {
        hint: `read it as standard input: -f - < ${path}`,
      });
    }
    return collectText(fileBytes(path), path);
  });
}

/**
 * The same for a file that must lie below `root`, as a context may hold a link to a file of the host, which an error's excerpt would show.
 */
export function readConfinedText(root: string, path: string, naming: ConfinedNaming = {}): Promise<string | undefined> {
  const { name = path } = naming;
  return reading(name, async () => {
    const handle = await openConfined(root, path, naming);
    try {
      return await collectText(handle.createReadStream({ autoClose: false }), name);
    } finally {
      await handle.close();
    }
  });
}

/** Docker's, and buildah's where there is none of Docker's. */
const ignoreNames = [".dockerignore", ".containerignore"] as const;

/** The ignore file that `read` finds: of a context, or of the Dockerfile that it stands beside. Throws IGNORE_FILE_UNREADABLE. */
export async function readIgnore(read: (path: string) => Promise<string | undefined>, beside = ""): Promise<IgnoreFile | undefined> {
  for (const name of ignoreNames) {
    const file = beside + name;
    const text = await read(file).catch((error: unknown) => {
      throw asIgnoreFile(error);
    });
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

function asIgnoreFile(error: unknown): unknown {
  if (!(error instanceof TsbuildError && (error.code === "DOCKERFILE_UNREADABLE" || error.code === "DOCKERFILE_TOO_LARGE"))) return error;
  return new TsbuildError("IGNORE_FILE_UNREADABLE", error.message, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** The ignore file that stands beside a Dockerfile of the host. */
export function readOwnIgnore(dockerfile: string): Promise<IgnoreFile | undefined> {
  return readIgnore((path) => readConfinedText(dirname(path), path), dockerfile);
}

async function reading(name: string, read: () => Promise<string>): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "DOCKERFILE_TOO_LARGE" || code === "DOCKERFILE_UNREADABLE") throw error;
    const problem = code === "EISDIR" ? "it is a directory" : withoutName(message, name);
    throw new TsbuildError("DOCKERFILE_UNREADABLE", `reading ${name}: ${problem}`, { cause: error });
  }
}

/** What an error of ours or of the system says, without what was being done to which path: that is told already, and its place may be nobody's business. */
function withoutName(message: string, name: string): string {
  const begin = `reading ${name}: `;
  return message.startsWith(begin) ? message.slice(begin.length) : message.replace(/, [a-z]+ '.*'$/s, "");
}
