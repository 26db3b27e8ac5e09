import { realpath } from "node:fs/promises";
import { basename, dirname, join, posix, relative } from "node:path";
import { bytesOf } from "../runtime-addon/index.ts";
import type { BuildSite } from "./build-site.ts";
import { allowRules, excludeRules, parseIgnoreFile } from "./context/ignore.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import type { FileOrigin, Operation } from "./plan/operation.ts";

/** Notes that a lock file which was written is among the files that a step takes from the build context: the next build has another context. */
export async function noteCopiedLock(plans: readonly BuildPlan[], { lock, contexts, onNote }: BuildSite): Promise<void> {
  const { root } = contexts.main;
  if (lock.written === undefined || root === undefined) return;
  const path = relative(root, join(await realpath(dirname(lock.written)), basename(lock.written)));
  const { ignore } = await contexts.dockerfile();
  if (path.startsWith("../") || (ignore !== undefined && parseIgnoreFile(ignore.text, ignore.file).excludes(bytesOf(path)))) return;
  const stages = plans.flatMap((plan) => plan.stages);
  const step = stages.flatMap(({ steps }) => steps).find(({ operation }) => sourcesOf(operation).some((source) => covers(source, path)));
  if (step === undefined) return;
  onNote(
    `the lock file ${lock.written} is in the build context, and line ${step.instruction.range.start.line} takes it: name it in .dockerignore, or a change of it runs that step again`,
  );
}

/** A path or pattern of the build context, and patterns of what is left out below it. */
interface Source {
  readonly path: string;
  readonly exclude: readonly string[];
}

/** What an operation reads of the build context. */
function sourcesOf(operation: Operation): readonly Source[] {
  switch (operation.op) {
    case "workdir":
      return [];
    case "copy": {
      const { origin, words, exclude } = operation;
      return isMain(origin) ? words.flatMap((word) => (word.kind === "path" ? [{ path: word.path, exclude }] : [])) : [];
    }
    case "run":
      return operation.mounts.flatMap((mount) =>
        mount.type === "bind" && isMain(mount.origin) ? [{ path: mount.source, exclude: [] }] : [],
      );
  }
}

function isMain(origin: FileOrigin): boolean {
  return origin.from === "context" && origin.name === undefined;
}

function covers({ path, exclude }: Source, file: string): boolean {
  // A pivot of --parents is a "." in the path.
  const root = posix.normalize(`/${path}/`).slice(1);
  if (file.startsWith(root)) return !excludeRules(exclude).excludes(bytesOf(file.slice(root.length)));
  // The pattern of a source is one of an ignore file too, and what is below a match belongs to it.
  return !allowRules(root.slice(0, -1)).excludes(bytesOf(file));
}
