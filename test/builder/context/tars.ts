/** One entry of a tar that a test writes by hand, however wrong. */
export interface TarEntry {
  readonly name: string;
  /** "0" is a file; absent: "0", or "5" where the name ends in "/". */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
}

/** A ustar of these entries, in this order, with its end mark. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryOf), Buffer.alloc(1024)]);
}

/** Files by path, as a tar. */
export function tarOfFiles(files: Readonly<Record<string, string>>): Buffer {
  return tarOf(Object.entries(files).map(([name, content]) => ({ name, content })));
}

function entryOf({ name, type, content = "", link = "", mode, uid = 1000, gid = 1000, mtime = 1_000_000_000 }: TarEntry): Buffer {
  const bytes = Buffer.from(content as string);
  const flag = type ?? (name.endsWith("/") ? "5" : "0");
  const header = Buffer.alloc(512);
  header.write(name, 0, 100, "latin1");
  header.write(octal(mode ?? (flag === "5" ? 0o755 : 0o644), 7), 100);
  header.write(octal(uid, 7), 108);
  header.write(octal(gid, 7), 116);
  header.write(octal(bytes.length, 11), 124);
  header.write(octal(mtime, 11), 136);
  header.write("        ", 148);
  header.write(flag, 156);
  header.write(link, 157, 100, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** Bytes as they could come through a pipe, in chunks of this size. */
export async function* inChunks(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
