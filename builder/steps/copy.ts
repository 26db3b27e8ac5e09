import { type ByteString, bytesOf, FileChangedError, isSystemError } from "../../runtime-addon/index.ts";
import type { Digest } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import type { Tree } from "../../store/layer/tree.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { copyKey } from "../plan/key.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { UnpackedSources } from "./add-archive.ts";
import type { CopyInputs } from "./copy-inputs.ts";
import { type Placement, placeSources } from "./copy-place.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { entriesLayer } from "./entries-layer.ts";
import { resolveOwner } from "./passwd.ts";
import { type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";

/** How often a step begins again when its sources change while they are read. */
const maxAttempts = 3;
/** What a file that was there a moment ago gives when it is gone or has become something else (openat2(2)). */
const vanished = ["ENOENT", "ENOTDIR", "ELOOP"] as const;

/**
 * COPY and ADD. The sources' Merkle roots are the key; what a roots cache or the stat cache knows is not read again. Where no step
 * with this operation was ever recorded, nothing is hashed beforehand: the pass that writes the layer tells the digests, and the key
 * is made from what was really read.
 */
export async function copyStep(
  operation: CopyOperation,
  files: Files,
  find: () => Promise<CopyInputs>,
  context: StepContext,
): Promise<StepOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await copyOnce(operation, files, await find(), context);
    } catch (error) {
      if (isSystemError(error, "EACCES")) {
        throw new TsbuildError("COPY_SOURCE_UNREADABLE", `copying from the build context: ${error.message}`, {
          cause: error,
          hint: "make it readable for this user, or exclude it with .dockerignore",
        });
      }
      const isChanged = error instanceof FileChangedError;
      if (attempt < maxAttempts && (isChanged || isSystemError(error, ...vanished))) continue;
      if (!isChanged) throw error;
      throw new TsbuildError("CONTEXT_CHANGING", "copying from the build context: files keep changing while they are read", {
        cause: error,
        hint: "stop what writes to the context, or exclude those files with .dockerignore",
      });
    }
  }
}

async function copyOnce(operation: CopyOperation, files: Files, inputs: CopyInputs, context: StepContext): Promise<StepOutcome> {
  const keyOf = (roots: readonly Digest[]) => copyKey(operation, keyContext(files, context, writerVersion), roots);
  const lookup = async (roots: readonly Digest[]): Promise<StepOutcome | undefined> => {
    const record = context.useCache ? await context.cache.find(keyOf(roots)) : undefined;
    return record === undefined ? undefined : { layer: record.layer, created: record.created, cached: true };
  };

  const known = await inputs.knownRoots();
  if (known !== undefined) {
    const hit = await lookup(known);
    if (hit !== undefined) return hit;
  } else if (context.useCache && (await context.cache.knowsOperation(keyOf([])))) {
    const merkles = await context.busy(() => inputs.merkles());
    const roots = merkles.map(({ root }) => root);
    await inputs.saveRoots(roots);
    const hit = await lookup(roots);
    if (hit !== undefined) return hit;
  }

  return context.busy(async () => {
    const { layer, created, merkles } = await write(operation, files, inputs, context);
    const roots = merkles.map(({ root }) => root);
    const key = keyOf(roots);
    await context.cache.save({ key, layer, created }, merkles);
    await inputs.saveRoots(roots);
    return { layer, created, cached: false };
  });
}

async function write(operation: CopyOperation, files: Files, inputs: CopyInputs, context: StepContext) {
  const parent = await context.rootfs(files.layers);
  const sources = await inputs.sources();
  const documents = operation.documents.map(documentSource);
  const archives = operation.unpack ? await unpacked(sources, context) : asTheyAre(sources);
  try {
    const placement: Placement = {
      target: operation.target,
      words: operation.sources.length + documents.length,
      ...(operation.chown === undefined ? {} : { owner: await resolveOwner(parent, operation.chown) }),
      ...(operation.chmod === undefined ? {} : { chmod: parseChmod(operation.chmod) }),
      ...(context.epoch === undefined ? {} : { epoch: context.epoch }),
    };
    const { entries, placed } = placeSources([...archives.sources, ...documents], parent, placement);
    const { layer, created, tree } = await entriesLayer(entries, files, context);
    // What was read in this pass is what the key is made of, whatever an earlier scan said.
    const merkles = await inputs.merkles(new Map([...writtenDigests(tree, placed), ...archives.digests]));
    return { layer, created, merkles };
  } finally {
    await archives.close();
  }
}

async function unpacked(sources: readonly CopySource[], context: StepContext): Promise<UnpackedSources> {
  const { unpackArchives } = await import("./add-archive.ts");
  return unpackArchives(sources, context.store, context.signal);
}

function asTheyAre(sources: readonly CopySource[]): UnpackedSources {
  return { sources, digests: new Map(), close: async () => {} };
}

/** Digests of source files as the written layer has them. */
function writtenDigests(tree: Tree, placed: ReadonlyMap<ByteString, SourceNode>): ReadonlyMap<SourceNode, Digest> {
  const digests = new Map<SourceNode, Digest>();
  for (const entry of tree.entries) {
    const node = entry.kind === "file" ? placed.get(entry.path) : undefined;
    if (node !== undefined && entry.kind === "file") digests.set(node, entry.digest);
  }
  return digests;
}

function documentSource({ name, content }: { readonly name: string; readonly content: string }): CopySource {
  const bytes = Buffer.from(content, "utf8");
  const node: SourceNode = {
    kind: "file",
    path: "" as ByteString,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    mtimeNsec: 0,
    size: bytes.length,
    content: { at: "bytes", bytes },
  };
  return { name: bytesOf(name), nodes: [node] };
}
