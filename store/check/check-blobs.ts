import { lstatSync } from "node:fs";
import { join } from "node:path";
import { bytesOf, hashFiles, isSystemError, TsbuildError, usableCpus } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes, isDigest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { namesIn } from "../gc/allocated.ts";
import { inParallel } from "../in-parallel.ts";
import { storePaths } from "../store-paths.ts";
import { fileIdentity, type StoreProblem } from "./problem.ts";

/** Reads every blob: its name must be its digest. What vanishes meanwhile is no problem. */
export async function checkBlobs(root: string, { signal }: Abortable = {}): Promise<readonly StoreProblem[]> {
  const folder = storePaths.blobs(root);
  const found = await inParallel(namesIn(folder), usableCpus(), async (name): Promise<StoreProblem | undefined> => {
    signal?.throwIfAborted();
    const path = join(folder, name);
    const digest = `sha256:${name}`;
    if (!isDigest(digest)) return stray(path, `blobs/sha256/${name}`);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) return stray(path, `blobs/sha256/${name}`);
    const seen = fileIdentity(path);
    const actual = await digestOfFile(folder, name);
    if (actual === undefined || actual === digest) return undefined;
    return { kind: "blob", subject: digest, problem: `its bytes hash to ${actual}`, remedy: { do: "remove", path, seen } };
  });
  return found.filter((problem) => problem !== undefined);
}

/** The digest of a file's bytes; undefined when it has gone. Throws system errors, and FILE_CHANGED. */
export async function digestOfFile(folder: string, name: string): Promise<Digest | undefined> {
  try {
    return digestFromBytes(await hashFiles(folder, [bytesOf(name)]));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    if (error instanceof TsbuildError && error.code === "FILE_CHANGED") return undefined;
    throw error;
  }
}

function stray(path: string, subject: string): StoreProblem {
  return { kind: "stray", subject, problem: "it is no blob", remedy: { do: "remove", path, seen: fileIdentity(path) } };
}
