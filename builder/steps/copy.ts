import { type ByteString, bytesOf } from "../../runtime-addon/index.ts";
import type { Digest } from "../../store/digest.ts";
import { noTime } from "../../store/layer/no-time.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import type { Tree } from "../../store/layer/tree.ts";
import { ContextChangedError } from "../context/reading-context.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { copyKey, type KeySource, type KeyTree, wordTexts } from "../plan/key.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { UnpackedSources } from "./add-archive.ts";
import type { CopyInputs } from "./copy-inputs.ts";
import { type Placement, placeSources } from "./copy-place.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { entriesLayer } from "./entries-layer.ts";
import { resolveOwner } from "./passwd.ts";
import type { SourceRoot } from "./source-merkles.ts";
import { type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";

/** A context that changed while it was read is read once more; a second change ends the build. */
const maxAttempts = 2;

/**
 * COPY and ADD. The sources' Merkle roots are the key, with a file's own name where the copy gets it; what a roots cache or the stat cache knows is not
 * read again. Where no step with this operation was ever recorded, nothing is hashed beforehand: the pass that writes the layer tells the digests, and
 * the key is made from what was really read. `find` looks for the sources, and again where they changed meanwhile.
 */
export async function copyStep(
  operation: CopyOperation,
  files: Files,
  find: () => Promise<CopyInputs>,
  context: StepContext,
): Promise<StepOutcome> {
  return unchanged(async () => copyOnce(operation, files, await find(), context));
}

/** The record of a COPY or ADD, if there is one: what copyStep would take. Hashes what it must for that, and writes nothing. */
export async function lookupCopy(
  operation: CopyOperation,
  files: Files,
  find: () => Promise<CopyInputs>,
  context: StepContext,
): Promise<StepOutcome | undefined> {
  return unchanged(async () => (await lookup(operation, files, await find(), context)).outcome);
}

async function unchanged<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === maxAttempts || !(error instanceof ContextChangedError)) throw error;
    }
  }
}

async function copyOnce(operation: CopyOperation, files: Files, inputs: CopyInputs, context: StepContext): Promise<StepOutcome> {
  const { outcome, hashed } = await lookup(operation, files, inputs, context);
  if (hashed !== undefined) await inputs.saveRoots(hashed);
  const { warnings = [] } = inputs;
  const said = (lines: readonly string[]) => (lines.length === 0 ? {} : { warnings: lines });
  if (outcome !== undefined) return { ...outcome, ...said(warnings) };

  return context.busy(async () => {
    const { layer, created, secrets, merkles, isInside, devices, warnings: found } = await write(operation, files, inputs, context);
    const unnamed = isInside ? undefined : withoutName(operation, merkles);
    const key = keyOf(operation, files, context, unnamed ?? merkles);
    await context.cache.save({ key, layer, created, secrets }, merkles, wordTexts(operation.words));
    await inputs.saveRoots(merkles);
    const note = devices === 0 ? {} : { note: `device files of archives that are left out: ${devices}` };
    return { layer, created, cached: false, ...said([...warnings, ...found]), ...note };
  });
}

/** `hashed`: the roots, where they had to be worked out. */
async function lookup(
  operation: CopyOperation,
  files: Files,
  inputs: CopyInputs,
  context: StepContext,
): Promise<{ readonly outcome?: StepOutcome; readonly hashed?: readonly SourceRoot[] }> {
  if (!context.useCache) return {};
  const known = await inputs.knownRoots();
  if (known !== undefined) return optional(await recordOf(operation, files, context, known));
  // Where no step like this was ever recorded there is nothing to find: the pass that writes the layer will tell the digests.
  if (!(await context.cache.knowsOperation(keyOf(operation, files, context, []), wordTexts(operation.words)))) return {};
  const hashed = await context.busy(() => inputs.merkles());
  return { ...optional(await recordOf(operation, files, context, hashed)), hashed };
}

async function recordOf(
  operation: CopyOperation,
  files: Files,
  context: StepContext,
  roots: readonly SourceRoot[],
): Promise<StepOutcome | undefined> {
  const find = (sources: readonly KeySource[]) => context.cache.find(keyOf(operation, files, context, sources));
  // Whether a file's name counts follows from the parent and the target, which are in the key: a record without the name proves that it does not.
  const unnamed = withoutName(operation, roots);
  const record = (unnamed && (await find(unnamed))) ?? (await find(roots));
  return record === undefined ? undefined : { layer: record.layer, created: record.created, cached: true };
}

function optional(outcome: StepOutcome | undefined): { readonly outcome?: StepOutcome } {
  return outcome === undefined ? {} : { outcome };
}

function keyOf(operation: CopyOperation, files: Files, context: StepContext, sources: readonly KeySource[]): KeyTree {
  return copyKey(operation, keyContext(files, context, writerVersion), sources);
}

/** The roots of a COPY that may give its one source a name of its own; undefined where that cannot be. */
function withoutName({ target, words, documents, parents }: CopyOperation, roots: readonly SourceRoot[]): readonly KeySource[] | undefined {
  const isAlone = words.length === 1 && documents.length === 0 && roots.length === 1;
  return isAlone && !parents && !target.endsWith("/") ? roots.map((source) => ({ ...source, root: source.unnamed })) : undefined;
}

async function write(operation: CopyOperation, files: Files, inputs: CopyInputs, context: StepContext) {
  const parent = await context.rootfs(files.layers);
  const sources = await inputs.sources();
  const documents = operation.documents.map(documentSource);
  const { unpack } = operation;
  const archives = unpack.local || unpack.remote ? await inputs.reading(() => unpacked(sources, unpack, context)) : asTheyAre(sources);
  try {
    const placement: Placement = {
      target: operation.target,
      words: operation.words.length + documents.length,
      ...(operation.chown === undefined ? {} : { owner: await resolveOwner(parent, operation.chown) }),
      ...(operation.chmod === undefined ? {} : { chmod: parseChmod(operation.chmod) }),
      ...(context.epoch === undefined ? {} : { epoch: context.epoch }),
    };
    const { entries, lent, placed } = placeSources([...archives.sources, ...documents], parent, placement);
    for (const { lent: file, ...entry } of lent) entries.push({ ...entry, content: await parent.content(file) });
    const dated = new Set(sources.flatMap((source) => (source.dated ? source.nodes : [])));
    const isDated = (path: ByteString) => dated.size > 0 && dated.has(placed.get(path) as SourceNode);
    const { layer, created, secrets, warnings, tree } = await inputs.reading(() => entriesLayer(entries, files, context, isDated));
    // What was read in this pass is what the key is made of, whatever an earlier scan said.
    const merkles = await inputs.merkles(writtenDigests(tree, placed, archives.digests));
    const { entry } = parent.resolve(bytesOf(operation.target), { followLast: true });
    return { layer, created, secrets, warnings, merkles, isInside: entry?.kind === "directory", devices: archives.devices };
  } finally {
    await archives.close();
  }
}

async function unpacked(
  sources: readonly CopySource[],
  { local, remote }: CopyOperation["unpack"],
  { store, signal }: StepContext,
): Promise<UnpackedSources> {
  const { unpackArchives } = await import("./add-archive.ts");
  return unpackArchives(sources, (source) => (source.remote ? remote : local), store, signal);
}

function asTheyAre(sources: readonly CopySource[]): UnpackedSources {
  return { sources, digests: new Map(), devices: 0, close: async () => {} };
}

/** Digests of source files as the written layer has them, and those of archives. */
function writtenDigests(
  tree: Tree,
  placed: ReadonlyMap<ByteString, SourceNode>,
  archives: ReadonlyMap<SourceNode, Digest>,
): ReadonlyMap<SourceNode, Digest> {
  const digests = new Map<SourceNode, Digest>();
  for (const entry of tree.entries) {
    const node = entry.kind === "file" ? placed.get(entry.path) : undefined;
    if (node !== undefined && entry.kind === "file") digests.set(node, entry.digest);
  }
  for (const [node, digest] of archives) digests.set(node, digest);
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
    ...noTime,
    size: bytes.length,
    content: { at: "bytes", bytes },
  };
  return { name: bytesOf(name), nodes: [node] };
}
