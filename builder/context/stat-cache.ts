import { type ByteString, bytesFrom, type ScanEntry } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes, hexOf } from "../../store/digest.ts";

/**
 * Remembers the content digest of files by what stat(2) says of them, so that an unchanged file is not read again.
 * A file changed within the clock's last tick could change once more unseen: such files are not remembered
 * (the "racy" rule of git's index).
 */
export interface StatCache {
  digest(entry: ScanEntry): Digest | undefined;
  /** `seenAtMs`: the clock before the scan that gave the entry. */
  remember(entry: ScanEntry, digest: Digest, seenAtMs: number): void;
  /** Everything at and below this path has been looked up or remembered: what has not is gone, and is forgotten. */
  cover(path: ByteString): void;
  readonly changed: boolean;
  encode(): Buffer;
}

interface Row {
  readonly identity: ByteString;
  readonly digest: Digest;
}

const magic = "tsbuild-stat-cache 1\n";
const digestBytes = 32;
/** Kernel clocks tick at least every 10 ms; file systems without nanoseconds count whole or even seconds. */
const fineTickMs = 50;
const coarseTickMs = 2100;

/** Whether the file may still change without its stat changing, seen from `seenAtMs`. */
export function isRacy(entry: ScanEntry, seenAtMs: number): boolean {
  const changedAtMs = entry.ctime * 1000 + entry.ctimeNsec / 1e6;
  return changedAtMs + (entry.ctimeNsec === 0 ? coarseTickMs : fineTickMs) >= seenAtMs;
}

/** From the bytes that encode() gave; missing or torn bytes are an empty cache, since it only saves work. */
export function statCache(bytes: Buffer | undefined): StatCache {
  let known: Map<ByteString, Row> | undefined;
  const used = new Map<ByteString, Row>();
  const covered: ByteString[] = [];
  let changed = false;
  return {
    digest(entry) {
      known ??= decode(bytes ?? Buffer.alloc(0));
      const row = used.get(entry.path) ?? known.get(entry.path);
      if (row === undefined || row.identity !== entry.identity) return undefined;
      used.set(entry.path, row);
      return row.digest;
    },
    remember(entry, digest, seenAtMs) {
      if (isRacy(entry, seenAtMs)) return;
      used.set(entry.path, { identity: entry.identity, digest });
      changed = true;
    },
    cover(path) {
      covered.push(path);
    },
    get changed() {
      return changed;
    },
    encode() {
      known ??= decode(bytes ?? Buffer.alloc(0));
      const isCovered = (path: ByteString) => covered.some((top) => top === "" || path === top || path.startsWith(`${top}/`));
      const rows = new Map<ByteString, Row>();
      for (const [path, row] of known) if (!used.has(path) && !isCovered(path)) rows.set(path, row);
      return encode(rows, used);
    },
  };
}

function encode(...parts: readonly ReadonlyMap<ByteString, Row>[]): Buffer {
  let size = magic.length;
  for (const rows of parts) for (const [path, { identity }] of rows) size += 2 + path.length + 2 + identity.length + digestBytes;
  const bytes = Buffer.alloc(size);
  let at = bytes.write(magic, "latin1");
  for (const rows of parts) {
    for (const [path, { identity, digest }] of rows) {
      at = bytes.writeUInt16BE(path.length, at);
      at = writeText(bytes, at, path);
      at = bytes.writeUInt16BE(identity.length, at);
      at = writeText(bytes, at, identity);
      at += bytes.write(hexOf(digest), at, "hex");
    }
  }
  return bytes;
}

/** Answers where the text ends. For texts this short a call of write() costs more than the bytes. */
function writeText(bytes: Buffer, at: number, text: ByteString): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function decode(bytes: Buffer): Map<ByteString, Row> {
  const rows = new Map<ByteString, Row>();
  if (bytes.toString("latin1", 0, magic.length) !== magic) return rows;
  let at = magic.length;
  while (at + 2 <= bytes.length) {
    const pathEnd = at + 2 + bytes.readUInt16BE(at);
    if (pathEnd + 2 > bytes.length) break;
    const identityEnd = pathEnd + 2 + bytes.readUInt16BE(pathEnd);
    if (identityEnd + 32 > bytes.length) break;
    rows.set(bytesFrom(bytes.subarray(at + 2, pathEnd)), {
      identity: bytesFrom(bytes.subarray(pathEnd + 2, identityEnd)),
      digest: digestFromBytes(bytes.subarray(identityEnd, identityEnd + 32)),
    });
    at = identityEnd + 32;
  }
  return rows;
}
