import { inflateRawSync } from "node:zlib";

/** One gzip member (RFC 1952 §2.3) that has no optional fields. */
export interface GzipMember {
  /** Its ten bytes in hex. */
  readonly header: string;
  readonly plainBytes: number;
}

const headerBytes = 10;
const trailerBytes = 8;

/** The members that a gzip file consists of. */
export function gzipMembers(file: Buffer): GzipMember[] {
  const members: GzipMember[] = [];
  for (let at = 0; at < file.length; ) {
    const header = file.subarray(at, at + headerBytes).toString("hex");
    // With `info` the result also has the engine, which counts the bytes that it took.
    const { buffer, engine } = inflateRawSync(file.subarray(at + headerBytes), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    members.push({ header, plainBytes: buffer.length });
    at += headerBytes + engine.bytesWritten + trailerBytes;
  }
  return members;
}
