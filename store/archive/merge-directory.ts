import { closeSync, constants, lstatSync, openSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { quotePath } from "../layer/entry-path.ts";

/**
 * Moves everything in `from` to where it is called the same in `to`, on the same file system. Directories of both are merged; anything else is replaced in one step. Names are looked up in
 * directories that are held open and that no symlink leads to, so that nobody who can change `to` meanwhile leads a move anywhere else. Throws DESTINATION_EXISTS,
 * before anything is moved, where a directory that is not empty would have to go; `shown` is what the message calls `to`.
 */
export function mergeDirectory(from: string, to: string, shown: string): void {
  for (const act of [check, move]) {
    withDirectory(Buffer.from(from), (fromFd) => withDirectory(Buffer.from(to), (toFd) => walk(fromFd, toFd, shown, act)));
  }
}

type Act = (names: { readonly from: Buffer; readonly to: Buffer; readonly shown: string; readonly isDirectory: boolean }) => void;

function walk(from: number, to: number, shown: string, act: Act): void {
  for (const name of readdirSync(inside(from), { encoding: "buffer" })) {
    const names = { from: inside(from, name), to: inside(to, name) };
    const isDirectory = isRealDirectory(names.from);
    const label = `${shown}/${name.toString()}`;
    if (isDirectory && isRealDirectory(names.to)) {
      withDirectory(names.from, (fromFd) => withDirectory(names.to, (toFd) => walk(fromFd, toFd, label, act)));
    } else act({ ...names, shown: label, isDirectory });
  }
}

function check({ to, shown, isDirectory }: Parameters<Act>[0]): void {
  if (isDirectory || !isRealDirectory(to) || readdirSync(to).length === 0) return;
  throw new TsbuildError(
    "DESTINATION_EXISTS",
    `exporting files: ${quotePath(shown)} is a directory that is not empty, and no directory in the image`,
    {
      hint: "remove it, or export to another directory",
    },
  );
}

function move({ from, to, isDirectory }: Parameters<Act>[0]): void {
  // rename(2) replaces a file by a file, and an empty directory by a directory, and nothing else.
  if (isDirectory) ifThere(() => unlinkSync(to));
  else if (isRealDirectory(to)) rmdirSync(to);
  renameSync(from, to);
}

function ifThere(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
  }
}

function isRealDirectory(path: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function withDirectory(path: Buffer, work: (fd: number) => void): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

function inside(fd: number, name: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}
