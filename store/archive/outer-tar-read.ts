import { textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { tarParser } from "../layer/tar-parse.ts";

/** A regular file of an archive. */
export interface ArchiveFile {
  /** Relative, without "." or ".." segments. */
  readonly name: string;
  readonly sizeBytes: number;
  /** To be read during the call that gets it; what is left is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

type Event =
  | { readonly type: "file"; readonly name: string; readonly sizeBytes: number }
  | { readonly type: "content"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

/**
 * Calls `onFile` for each regular file of a tar, one after the other. Directories are passed over. Nothing is believed: throws
 * INVALID_TAR, UNSUPPORTED_TAR, and UNSAFE_PATH for names outside, for links and for devices: an image archive has none.
 */
export async function readOuterTar(chunks: AsyncIterable<Uint8Array>, onFile: (file: ArchiveFile) => Promise<void>): Promise<void> {
  const events = eventsOf(chunks);
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) {
      if (next.value.type !== "file") continue;
      const { name, sizeBytes } = next.value;
      const content = contentOf(events);
      await onFile({ name, sizeBytes, content });
      for await (const _ of content);
    }
  } finally {
    await events.return();
  }
}

/** Up to the file's end; leaving early leaves the archive open. */
async function* contentOf(events: AsyncGenerator<Event, void, undefined>): AsyncGenerator<Uint8Array, void, undefined> {
  for (let next = await events.next(); !next.done; next = await events.next()) {
    if (next.value.type === "content") yield next.value.bytes;
    else return;
  }
}

async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Event, void, undefined> {
  let found: Event[] = [];
  let inFile = false;
  const parser = tarParser({
    entry(header) {
      inFile = header.type === "0";
      if (inFile) found.push({ type: "file", name: safeName(textOf(header.name)), sizeBytes: header.size });
      else if (header.type !== "5" && header.type !== "V") refuse(textOf(header.name), "it is a link or a device");
    },
    // A view of the chunk that was pushed, which is ours to keep.
    content(bytes) {
      if (inFile) found.push({ type: "content", bytes });
    },
    contentEnd() {
      if (inFile) found.push({ type: "end" });
      inFile = false;
    },
  });
  for await (const chunk of chunks) {
    parser.push(chunk);
    const events = found;
    found = [];
    yield* events;
  }
  parser.end();
  yield* found;
}

function safeName(name: string): string {
  const segments = name.split("/").filter((segment) => segment !== "." && segment !== "");
  if (name.startsWith("/")) refuse(name, "its name is absolute");
  if (segments.includes("..")) refuse(name, 'its name has ".." in it');
  return segments.join("/");
}

function refuse(name: string, why: string): never {
  throw new TsbuildError("UNSAFE_PATH", `reading an image archive: entry ${JSON.stringify(name)}: ${why}`);
}
