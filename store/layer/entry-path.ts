import { type ByteString, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { harmlessJson } from "../unseen.ts";

/** PATH_MAX without its NUL: no system call can name a longer path (limits.h). */
export const maxPathBytes = 4095;
/** NAME_MAX (limits.h). */
export const maxNameBytes = 255;

/** Spelling of removals in a tar (OCI image spec, layer.md "Whiteouts"). */
export const whiteoutPrefix = ".wh.";
export const opaqueMarker = ".wh..wh..opq";

export const rootPath = "" as ByteString;

/** "" for a name at the top, and for the root itself. */
export function parentPath(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return (slash < 0 ? "" : path.slice(0, slash)) as ByteString;
}

export function baseName(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1) as ByteString;
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return (directory === "" ? name : `${directory}/${name}`) as ByteString;
}

/** Bytes of a path that a message shows: all of a name. */
const shownPathBytes = 2 * maxNameBytes;

/** A path for a message: quoted, cut, what a terminal acts on and what nobody sees escaped. */
export function quotePath(path: string): string {
  const shown = path.length > shownPathBytes ? `${textOf(path.slice(0, shownPathBytes) as ByteString)}…` : textOf(path as ByteString);
  return harmlessJson(JSON.stringify(shown));
}

const unsafe = /(?:^|\/)(?:\.{0,2})(?:\/|$)|\0/;
const reserved = /(?:^|\/)\.wh\./;

/**
 * Refuses what an entry's path may not be. Throws UNSAFE_PATH (absolute, "." or ".." or an empty segment, NUL, too long to be named) and
 * RESERVED_NAME (a segment that begins with ".wh.", which in a layer means a removal and cannot be a file's name).
 */
export function checkEntryPath(path: ByteString, where: string): void {
  if (path === "") return;
  if (path.length > maxPathBytes || unsafe.test(path)) {
    throw new TsbuildError("UNSAFE_PATH", `${where}: ${quotePath(path.slice(0, maxPathBytes))} is not a normalised relative path`);
  }
  if (path.includes(whiteoutPrefix) && reserved.test(path)) {
    throw new TsbuildError("RESERVED_NAME", `${where}: ${quotePath(path)} cannot be stored: names beginning with ".wh." mean removals`, {
      hint: "rename or remove the file in the step that makes it",
    });
  }
}

/**
 * The entry path of a name in an archive: "./", doubled, leading and trailing slashes are taken away, "" is the root.
 * Throws UNSAFE_PATH for "..", INVALID_TAR for names that no Linux file system can hold.
 */
export function normaliseArchivePath(name: ByteString, where: string): ByteString {
  if (name.length > maxPathBytes + 2 || name.includes("\0")) {
    const problem = name.includes("\0") ? "holds a NUL byte" : `is longer than ${maxPathBytes} bytes`;
    throw new TsbuildError("INVALID_TAR", `${where}: the name ${quotePath(name.slice(0, 100))}… ${problem}`);
  }
  const path = needsWork.test(name) ? collapse(name, where) : name;
  if (path.length > maxNameBytes && longSegment.test(path)) {
    throw new TsbuildError("INVALID_TAR", `${where}: a segment of ${quotePath(path.slice(0, 100))}… is longer than ${maxNameBytes} bytes`);
  }
  return path;
}

const needsWork = /(?:^|\/)\.{0,2}(?:\/|$)/;
const longSegment = new RegExp(`[^/]{${maxNameBytes + 1}}`);

function collapse(name: ByteString, where: string): ByteString {
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw new TsbuildError("UNSAFE_PATH", `${where}: the name ${quotePath(name)} holds ".."`);
  return segments.join("/") as ByteString;
}
