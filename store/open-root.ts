import { chmodSync, linkSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeFileAtomically, writeTempFile } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { checkFileSystem } from "./check-file-system.ts";
import { discardFile } from "./discard.ts";
import { TsbuildError } from "./errors.ts";
import { readIfThere } from "./if-there.ts";
import { checkOciLayout, emptyIndex, ociLayoutFile } from "./layout.ts";
import { withLock } from "./lock.ts";
import { makeDirectories, makeDirectory } from "./make-directories.ts";
import { nameSystemError } from "./name-system-error.ts";
import { formatFolder, storePaths } from "./store-paths.ts";

/** Revision of the format inside its folder: a reader takes every revision up to its own. */
const formatRevision = 1;

const folders = ["layers", "steps", "leases", "tmp", "trash"] as const;

/**
 * Makes sure that `root` is a store of this format: an existing one costs one small read, a missing or empty directory becomes one, and
 * an OCI image layout made by another tool gets our folder beside its blobs. Safe when several processes do it at once.
 * Throws STORE_TOO_NEW, NOT_A_STORE, STORE_DAMAGED, STORE_INACCESSIBLE, STORE_UNSUITABLE, and what nameSystemError names.
 */
export async function openRoot(root: string): Promise<void> {
  try {
    const revision = readRevision(root);
    if (revision === undefined) await makeStore(root);
    else if (revision > formatRevision) throw tooNew(root, `${formatFolder} revision ${revision}`);
  } catch (error) {
    // Nothing of the store's own is there yet that could be missing: it is the path that leads nowhere.
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG")) {
      throw new TsbuildError("STORE_INACCESSIBLE", `opening the store ${root}: ${error.message}`, {
        cause: error,
        hint: "choose another directory with --store DIR or $TSBUILD_ROOT",
      });
    }
    throw nameSystemError(error, root, { doing: "opening", anyPath: true });
  }
}

function readRevision(root: string): number | undefined {
  const text = readIfThere(storePaths.version(root))?.toString("latin1");
  if (text === undefined) return undefined;
  if (/^[1-9][0-9]{0,8}\n$/.test(text)) return Number(text);
  throw new TsbuildError("STORE_DAMAGED", `opening the store ${root}: ${formatFolder}/version holds no number`);
}

async function makeStore(root: string): Promise<void> {
  makeDirectories(dirname(root));
  makeDirectory(root);
  const names = readdirSync(root);
  const formats = names.filter((name) => /^v[1-9][0-9]*$/.test(name));
  if (formats.length > 0 && !formats.includes(formatFolder)) throw tooNew(root, formats.join(", "));
  const isLayout = names.includes("oci-layout");
  if (isLayout) checkOciLayout(readFileSync(storePaths.ociLayout(root)), storePaths.ociLayout(root));
  else if (names.some((name) => !ourNames.has(name))) {
    throw new TsbuildError("NOT_A_STORE", `opening the store ${root}: the directory is not empty and no store`, {
      hint: "name a new or empty directory with --store DIR or $TSBUILD_ROOT",
    });
  }
  if (!isLayout) chmodSync(root, 0o700);
  makeDirectory(storePaths.format(root));
  await withLock(storePaths.lock(root), "exclusive", async () => {
    if (readRevision(root) !== undefined) return;
    makeDirectories(storePaths.blobs(root), 0o755);
    for (const folder of folders) makeDirectory(join(storePaths.format(root), folder));
    for (const folder of ["by-op", "by-content", "nodes"]) makeDirectory(join(storePaths.steps(root), folder));
    const temp = (name: string) => join(storePaths.tmp(root), `new-${name}`);
    for (const name of ["index", "layout", "version", "probe", "probe-link", "probe-symlink"]) rmSync(temp(name), { force: true });
    await checkFileSystem(root, temp("probe"));
    await makeIndex(root, temp("index"));
    await writeFileAtomically(temp("layout"), storePaths.ociLayout(root), ociLayoutFile, { sync: true });
    await writeFileAtomically(temp("version"), storePaths.version(root), Buffer.from(`${formatRevision}\n`), { sync: true });
  });
}

/** What another process that makes this same store may have made so far, before `oci-layout` is there. */
const ourNames = new Set([formatFolder, "blobs", "index.json"]);

/** Unlike a rename, a link never replaces a list of images that is there. */
async function makeIndex(root: string, temp: string): Promise<void> {
  await writeTempFile(temp, canonicalJson(emptyIndex), { sync: true });
  try {
    linkSync(temp, storePaths.index(root));
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  } finally {
    discardFile(temp);
  }
}

function tooNew(root: string, found: string): TsbuildError {
  return new TsbuildError(
    "STORE_TOO_NEW",
    `opening the store ${root}: it was written by a newer tsbuild (format ${found}; this one knows ${formatFolder} revision ${formatRevision})`,
    { hint: "use that newer tsbuild, or another store with --store DIR or $TSBUILD_ROOT" },
  );
}
