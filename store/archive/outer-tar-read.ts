import { textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { TarHeader } from "../layer/tar-header.ts";
import { tarParser } from "../layer/tar-parse.ts";

/** A regular file of an archive. */
export interface ArchiveFile {
  /** Relative, without "." or ".." segments. */
  readonly name: string;
  readonly sizeBytes: number;
  /** To be read during the call that gets it; what is left is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** A symlink or hard link of an archive. `target` is a name of the archive too; undefined where the link leads out of it. */
export interface ArchiveLink {
  readonly name: string;
  readonly target: string | undefined;
}

type Event =
  | { readonly type: "link"; readonly link: ArchiveLink }
  | { readonly type: "file"; readonly name: string; readonly sizeBytes: number }
  | { readonly type: "content"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

/**
 * Calls `onFile` for each regular file of a tar and `onLink` for each link, one after the other. Directories are passed over. Nothing is believed, and no link is followed: throws
 * INVALID_TAR, UNSUPPORTED_TAR, and UNSAFE_PATH for names outside and for devices: an image archive has none.
 */
export async function readOuterTar(
  chunks: AsyncIterable<Uint8Array>,
  onFile: (file: ArchiveFile) => Promise<void>,
  onLink: (link: ArchiveLink) => void,
): Promise<void> {
  const events = eventsOf(chunks);
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) {
      if (next.value.type === "link") onLink(next.value.link);
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
      else if (header.type === "1" || header.type === "2") found.push({ type: "link", link: linkOf(header) });
      else if (header.type !== "5" && header.type !== "V") refuseEntry(textOf(header.name), "it is a link or a device");
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
  if (name.startsWith("/")) refuseEntry(name, "its name is absolute");
  if (segments.includes("..")) refuseEntry(name, 'its name has ".." in it');
  return segments.join("/");
}

function linkOf(header: Pick<TarHeader, "name" | "linkName" | "type">): ArchiveLink {
  const name = safeName(textOf(header.name));
  const written = textOf(header.linkName);
  // A hard link's target is counted from the archive's root, a symlink's from where it is.
  return { name, target: entryPathIn(header.type === "1" ? "" : name.split("/").slice(0, -1).join("/"), written) };
}

/** The entry that a relative path means, seen from a directory of the archive; undefined for one outside. */
export function entryPathIn(directory: string, path: string): string | undefined {
  if (path.startsWith("/")) return undefined;
  const segments: string[] = [];
  for (const segment of `${directory}/${path}`.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments.join("/");
}

export function refuseEntry(name: string, why: string): never {
  throw new TsbuildError("UNSAFE_PATH", `reading an image archive: entry ${JSON.stringify(name)}: ${why}`);
}
