import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { type Digest, hexOf, isDigest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { namesIn } from "../gc/allocated.ts";
import { contentsBytes } from "../layer/sparse-contents.ts";
import { decodeTree, type Tree } from "../layer/tree.ts";
import { readLayerBlob } from "../layer-blob.ts";
import { readLayerInfo, type StoredLayerInfo } from "../layer-info.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";
import { isUnreadableHere } from "../unreadable-here.ts";
import { digestOfFile } from "./check-blobs.ts";
import { checkContents } from "./check-contents.ts";
import { checkDirectory } from "./check-directory.ts";
import { fileIdentity, type StoreProblem } from "./problem.ts";

/**
 * Every layer's tree against its tar, and its unpacked forms against the tree. `damaged` blobs are not read: what is made of them is named with them. A layer whose blobs are all gone is
 * garbage, and no problem.
 */
export async function checkLayers(
  store: Store,
  damaged: ReadonlySet<Digest>,
  { signal }: Abortable = {},
): Promise<readonly StoreProblem[]> {
  const problems: StoreProblem[] = [];
  for (const name of namesIn(storePaths.layers(store.root))) {
    signal?.throwIfAborted();
    const diffId = `sha256:${name}`;
    const folder = join(storePaths.layers(store.root), name);
    if (isDigest(diffId)) problems.push(...(await checkLayer(store, diffId, damaged)));
    else
      problems.push({
        kind: "stray",
        subject: `v1/layers/${name}`,
        problem: "it is no layer",
        remedy: { do: "remove", path: folder, seen: fileIdentity(folder) },
      });
  }
  return problems;
}

async function checkLayer(store: Store, diffId: Digest, damaged: ReadonlySet<Digest>): Promise<readonly StoreProblem[]> {
  const folder = join(storePaths.layers(store.root), hexOf(diffId));
  const info = readLayerInfo(join(folder, "info"), diffId);
  // Whoever made it was killed in between: whoever wants the layer makes it again.
  if (info === undefined && !existsSync(join(folder, "info"))) return [];
  const broken = (problem: string): StoreProblem => ({ kind: "tree", subject: diffId, problem, remedy: { do: "index", diffId } });
  const blob = (info?.blobs ?? plainBlob(store, diffId)).find(({ digest, size }) => !damaged.has(digest) && sizeOf(store, digest) === size);
  if (blob === undefined) {
    if (info !== undefined) return [];
    return [broken(damagedInfo), ...(await checkParts(folder, diffId, async () => "what it was made of is not known any more"))];
  }
  let actual: Tree;
  try {
    ({ tree: actual } = await readLayerBlob(store.blobs.open(blob), { unpackLimits: store.unpackLimits }));
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    // It was collected meanwhile, or is damaged since it was looked at.
    if (!existsSync(folder)) return [];
    return [isUnreadableHere(error) ? { ...broken(error.message), remedy: { do: "nothing" } } : broken(error.message)];
  }
  if (actual.diffId !== diffId) return [broken(notItsBlob(blob.digest))];
  const problem = info === undefined ? damagedInfo : treeProblem(folder, info, actual, blob.digest);
  if (!existsSync(folder)) return [];
  const unpacked = await checkParts(folder, diffId, (part) => checkUnpacked(folder, part, actual));
  return problem === undefined ? unpacked : [broken(problem), ...unpacked];
}

const damagedInfo = "what is written down about it is damaged";
const notItsBlob = (digest: Digest) => `its tree is not that of its blob ${digest}`;

/** What is written down about the layer, against its blob. */
function treeProblem(folder: string, info: StoredLayerInfo, actual: Tree, blob: Digest): string | undefined {
  const tree = readTree(join(folder, "tree"), info.treeSize);
  if (tree === undefined) return "its tree is missing or damaged";
  if (!isDeepStrictEqual(actual.entries, tree.entries)) return notItsBlob(blob);
  return info.contentsBytes === contentsBytes(actual) ? undefined : "what is written down about its sparse files is not what its blob has";
}

/** A layer that was made here is a blob under its own id, whatever is written down. */
function plainBlob(store: Store, diffId: Digest): readonly Descriptor[] {
  const size = sizeOf(store, diffId);
  return size === undefined ? [] : [{ mediaType: mediaTypes.layer, digest: diffId, size }];
}

/** What was made of the layer beside its tree. */
async function checkParts(
  folder: string,
  diffId: Digest,
  check: (part: string) => Promise<string | undefined>,
): Promise<readonly StoreProblem[]> {
  const problems: StoreProblem[] = [];
  for (const part of namesIn(folder)) {
    if (part === "info" || part === "tree") continue;
    const path = join(folder, part);
    const seen = fileIdentity(path);
    const problem = await check(part);
    if (problem !== undefined) {
      problems.push({ kind: "directory", subject: `v1/layers/${hexOf(diffId)}/${part}`, problem, remedy: { do: "remove", path, seen } });
    }
  }
  return problems;
}

async function checkUnpacked(folder: string, part: string, tree: Tree): Promise<string | undefined> {
  if (part === "plain") return checkPlain(folder, tree.diffId);
  if (part === "contents") return checkContents(folder, tree);
  return part.startsWith("dir")
    ? checkDirectory(join(folder, part, "fs"), tree, part.startsWith("dir-flat") ? "flat" : "exact")
    : undefined;
}

async function checkPlain(folder: string, diffId: Digest): Promise<string | undefined> {
  const actual = await digestOfFile(folder, "plain");
  return actual === undefined || actual === diffId ? undefined : `its bytes hash to ${actual}`;
}

function sizeOf(store: Store, digest: Digest): number | undefined {
  return statSync(store.blobs.path(digest), { throwIfNoEntry: false })?.size;
}

function readTree(path: string, size: number): Tree | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  if (bytes.length !== size) return undefined;
  try {
    return decodeTree(bytes);
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}
