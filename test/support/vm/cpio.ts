/** One entry of an initial RAM disk. Directories come before what is in them. */
export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/** The archive as the kernel unpacks it: cpio's "newc" form (Documentation/driver-api/early-userspace/buffer-format.rst). */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  return Buffer.concat([...entries.flatMap((entry, index) => record(entry, index + 1)), ...record(TRAILER, 0)]);
}

const TRAILER: CpioEntry = { kind: "file", path: "TRAILER!!!", mode: 0, bytes: new Uint8Array() };

function record(entry: CpioEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${entry.path}\0`);
  const body = bodyOf(entry);
  const fields = [inode, modeOf(entry), 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [header, name, padding(header.length + name.length), body, padding(body.length)];
}

function bodyOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === "file") return entry.bytes;
  return entry.kind === "symlink" ? Buffer.from(entry.target) : new Uint8Array();
}

function modeOf(entry: CpioEntry): number {
  if (entry.kind === "directory") return 0o040755;
  return entry.kind === "symlink" ? 0o120777 : 0o100000 | entry.mode;
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
