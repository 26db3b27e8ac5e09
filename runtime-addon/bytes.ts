declare const bytesBrand: unique symbol;

/**
 * A byte string: every char is one byte (0x00–0xff, "latin1"). File names, link targets and xattr values are bytes,
 * not text, and need not be UTF-8; this form is lossless, cheap to compare, and sorts like the bytes do.
 */
export type ByteString = string & { readonly [bytesBrand]: "ByteString" };

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): ByteString {
  return isAscii(text) ? (text as ByteString) : (Buffer.from(text, "utf8").toString("latin1") as ByteString);
}

/** The text of bytes that hold UTF-8, for printing and for JSON; invalid sequences become U+FFFD. */
export function textOf(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

export function bytesFrom(buffer: Uint8Array): ByteString {
  return Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength).toString("latin1") as ByteString;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
