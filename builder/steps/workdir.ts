import { type ByteString, bytesOf, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { SourceEntry } from "../../store/layer/entry.ts";
import { noTime } from "../../store/layer/no-time.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import { type KeyTree, workdirKey } from "../plan/key.ts";
import type { WorkdirOperation } from "../plan/operation.ts";
import { entriesLayer } from "./entries-layer.ts";
import { resolveUser } from "./passwd.ts";
import { type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";

/** WORKDIR: makes the directory and what is missing above it, 0755, owned by the stage's user. An existing one gives an empty layer. */
export async function workdirStep(operation: WorkdirOperation, files: Files, context: StepContext): Promise<StepOutcome> {
  const known = await lookupWorkdir(operation, files, context);
  if (known !== undefined) return known;
  const rootfs = await context.rootfs(files.layers);
  const { uid, gid } = operation.user === "" ? { uid: 0, gid: 0 } : await resolveUser(rootfs, operation.user);
  const { layer, created, secrets, warnings } = await entriesLayer(directoriesTo(operation.path, rootfs, { uid, gid }), files, context);
  await context.cache.save({ key: keyOf(operation, files, context), layer, created, secrets });
  return { layer, created, cached: false, ...(warnings.length === 0 ? {} : { warnings }) };
}

/** The record of a WORKDIR, if there is one. */
export async function lookupWorkdir(operation: WorkdirOperation, files: Files, context: StepContext): Promise<StepOutcome | undefined> {
  const record = context.useCache ? await context.cache.find(keyOf(operation, files, context)) : undefined;
  return record === undefined ? undefined : { layer: record.layer, created: record.created, cached: true };
}

function keyOf(operation: WorkdirOperation, files: Files, context: StepContext): KeyTree {
  return workdirKey(operation, keyContext(files, context, writerVersion));
}

/** Missing directories take the time of the nearest one there is, so that the layer never holds the clock. */
function directoriesTo(path: string, rootfs: Rootfs, owner: { uid: number; gid: number }): SourceEntry[] {
  const { path: target, entry } = rootfs.resolve(bytesOf(path), { followLast: true });
  if (entry !== undefined) {
    if (entry.kind === "directory") return [];
    throw new TsbuildError("WORKDIR_NOT_DIRECTORY", `making the working directory ${path}: "/${textOf(target)}" is not a directory`);
  }
  const entries: SourceEntry[] = [];
  let time: { readonly mtime: number; readonly mtimeNsec: number } = noTime;
  for (const parent of prefixes(target)) {
    const existing = rootfs.lookup(parent);
    if (existing !== undefined && existing.kind !== "directory") {
      throw new TsbuildError("WORKDIR_NOT_DIRECTORY", `making the working directory ${path}: "/${textOf(parent)}" is not a directory`);
    }
    if (existing !== undefined) {
      time = { mtime: existing.mtime, mtimeNsec: existing.mtimeNsec };
      entries.push(existing);
    } else entries.push({ kind: "directory", path: parent, mode: 0o755, ...owner, ...time });
  }
  return entries;
}

/** "a/b/c" → "a", "a/b", "a/b/c". */
function prefixes(path: ByteString): ByteString[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/") as ByteString);
}
