import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";

/** Prefix of the records that carry extended attributes; the value is the attribute's bytes. */
export const xattrKeyPrefix = "SCHILY.xattr.";

const sparseMapKey = "GNU.sparse.map";

/** One record of an extended header: "LENGTH KEY=VALUE\n", LENGTH counting itself (POSIX pax, "pax Extended Header"). */
export function encodePaxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/**
 * Reads the records of an extended header. Later records win. Throws INVALID_TAR for a length that does not fit, a record without "=" or
 * without its line end.
 */
export function decodePaxRecords(body: ByteString, where: string, into: Map<string, ByteString>): void {
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(" ", at);
    const digits = space < 0 || space - at > 10 ? "" : body.slice(at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]*$/.test(digits) || end > body.length || end <= space + 2 || body[end - 1] !== "\n") {
      throw new TsbuildError("INVALID_TAR", `${where}: the extended header has a record of a wrong length`);
    }
    const equals = body.indexOf("=", space + 1);
    if (equals < 0 || equals >= end - 1 || equals === space + 1) {
      throw new TsbuildError("INVALID_TAR", `${where}: the extended header has a record that is not KEY=VALUE`);
    }
    const key = body.slice(space + 1, equals);
    const value = body.slice(equals + 1, end - 1) as ByteString;
    // The one form in which records that repeat mean a list (GNU sparse format 0.0).
    const map = key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes" ? into.get(sparseMapKey) : undefined;
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
      into.set(sparseMapKey, (map === undefined ? value : `${map},${value}`) as ByteString);
    else into.set(key, value);
    at = end;
  }
}
