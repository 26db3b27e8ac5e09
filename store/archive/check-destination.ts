import { accessSync, constants, lstatSync, readdirSync, type Stats, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { isSystemError, systemErrorMessage } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { targetOf } from "./link-target.ts";

export type PathDestination = { readonly file: string } | { readonly directory: string };
export type Destination = PathDestination | { readonly stream: Writable };

/** Whether a directory is made, or may have files that stay. */
export type DirectoryUse = "new" | "any";

/**
 * Throws what writing there would fail with, before any work is done for it: WRITE_FAILED where something is missing, of another kind or not writable, NOT_A_FILE for an archive
 * where no file can be, DESTINATION_EXISTS for a new directory that has something. Nothing is made, opened or changed. `doing` begins the message.
 */
export function checkDestination(destination: PathDestination, doing: string, use: DirectoryUse = "new"): void {
  try {
    if ("file" in destination) checkFile(pathOf(destination), doing);
    else checkDirectory(targetOf(pathOf(destination)), doing, use);
  } catch (cause) {
    throw isSystemError(cause) ? new TsbuildError("WRITE_FAILED", `${doing}: ${systemErrorMessage(cause)}`, { cause }) : cause;
  }
}

/** Absolute. */
export function pathOf(destination: PathDestination): string {
  return resolve("file" in destination ? destination.file : destination.directory);
}

function checkFile(path: string, doing: string): void {
  const found = statOf(path);
  if (found === undefined || found.isFile()) {
    // A regular file is not written to: another one takes its place in the directory.
    checkParent(dirname(targetOf(path)), doing);
  } else if (found.isFIFO() || found.isCharacterDevice()) {
    checkWritable(path, constants.W_OK, doing);
  } else {
    const what = found.isDirectory() ? "it is a directory" : "it is no file that could be replaced";
    throw new TsbuildError("NOT_A_FILE", `${doing}: ${what}`, { hint: "name a file" });
  }
}

function checkParent(directory: string, doing: string): void {
  if (statOf(directory) === undefined) {
    throw new TsbuildError("WRITE_FAILED", `${doing}: there is no directory ${directory}`, { hint: "make it first" });
  }
  checkEntries(directory, doing);
}

function checkDirectory(path: string, doing: string, use: DirectoryUse): void {
  const found = statOf(path);
  if (found?.isDirectory() === false) throw new TsbuildError("WRITE_FAILED", `${doing}: it is no directory`);
  if (use === "new" && found !== undefined && readdirSync(path).length > 0) {
    throw new TsbuildError("DESTINATION_EXISTS", `${doing}: the directory is not empty`, { hint: "name a new one" });
  }
  // A new one takes the place of an empty one.
  checkEntries(nearest(use === "new" ? dirname(path) : path), doing);
}

/** The directory that is there, or the one above it in which it would be made. */
function nearest(path: string): string {
  return isThere(path) ? path : nearest(dirname(path));
}

function checkEntries(directory: string, doing: string): void {
  // That of a symlink to nothing is not to be had.
  if (statOf(directory)?.isDirectory() !== true) throw new TsbuildError("WRITE_FAILED", `${doing}: ${directory} is no directory`);
  checkWritable(directory, constants.W_OK | constants.X_OK, doing);
  if (kernelsOwn.has(statfsSync(directory).type))
    throw new TsbuildError("WRITE_FAILED", `${doing}: ${directory} is the kernel's own, and nothing can be made there`, {
      hint: "write to another directory",
    });
}

/** File systems that let root write and yet take no new files, by statfs(2): procfs, sysfs, control groups of both versions. */
const kernelsOwn: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270]);

function checkWritable(path: string, mode: number, doing: string): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    if (!isSystemError(error, "EACCES", "EPERM", "EROFS")) throw error;
    const why = isSystemError(error, "EROFS") ? `${path} is on a file system that is read-only` : `this user cannot write to ${path}`;
    throw new TsbuildError("WRITE_FAILED", `${doing}: ${why}`);
  }
}

function statOf(path: string): Stats | undefined {
  return ifThere(() => statSync(path));
}

function isThere(path: string): boolean {
  return ifThere(() => lstatSync(path)) !== undefined;
}

/** What lies below a file is not there either: the file itself is found further up. */
function ifThere(look: () => Stats): Stats | undefined {
  try {
    return look();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
