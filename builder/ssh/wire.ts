/** The data types of SSH (RFC 4251 section 5). */

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function string(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes);
  return Buffer.concat([uint32(content.length), content]);
}

/** A number that is not negative, from its bytes with the highest first. */
export function mpint(bytes: Buffer): Buffer {
  const short = withoutZeros(bytes);
  return string((short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short);
}

export function withoutZeros(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? Buffer.alloc(0) : bytes.subarray(first);
}

/** Reads one value after the other; throws RangeError at the end. */
export interface WireReader {
  uint32(): number;
  string(): Buffer;
}

export function wireReader(bytes: Buffer): WireReader {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("the data is cut short");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const uint32 = () => take(4).readUInt32BE();
  return { uint32, string: () => take(uint32()) };
}
