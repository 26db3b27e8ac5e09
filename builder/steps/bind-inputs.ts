import { bytesOf } from "../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import { quotePath, rootPath } from "../../store/layer/entry-path.ts";
import { noTime } from "../../store/layer/no-time.ts";
import type { RootfsEntry } from "../../store/layer/rootfs.ts";
import { hasWildcard } from "../context/pattern.ts";
import { baseChain, childChain } from "../plan/key.ts";
import type { CopyOperation, FileOrigin } from "../plan/operation.ts";
import { copyStep, lookupCopy } from "./copy.ts";
import { type CopyInputs, type InputsRequest, requestOf } from "./copy-inputs.ts";
import { entryInputs, ownAttributes } from "./entry-inputs.ts";
import { rootfsInputs } from "./rootfs-inputs.ts";
import type { BindDirectories, BindInput, BindMount, RunInputs } from "./run-inputs.ts";
import type { Files, StepContext, StepOutcome } from "./step.ts";

/** Where bind mounts find files, as COPY does. */
export interface BindSources {
  inputs(origin: FileOrigin, request: InputsRequest): Promise<CopyInputs>;
  files(origin: Exclude<FileOrigin, { from: "context" }>): Promise<Files>;
}

const nothing: Files = { layers: [], chain: baseChain([]) };

/** The one name in the layer that shows a part of a context. */
const shownName = bytesOf("shown");

/**
 * Inputs of the RUN steps of one build. What a stage or an image shows is its layers. What a context shows becomes a layer too, as COPY onto nothing
 * would make it, but that a directory keeps its own mode: it is read in one pass, and what was read is what is mounted and what the step's key says, whatever
 * happens to the context meanwhile.
 */
export function bindInputs(sources: BindSources): (context: StepContext) => RunInputs {
  const copies = new Map<string, Promise<Files>>();

  const copied = (mount: BindMount, context: StepContext): Promise<Files> => {
    const name = JSON.stringify([mount.origin, mount.source]);
    const known = copies.get(name);
    if (known !== undefined) return known;
    const copy = copyStep(...copyOf(mount, context));
    const files = copy.then(filesOf);
    copies.set(name, files);
    return files;
  };

  /** The COPY of what a mount of a context shows. It follows from the content alone, so a record of it may be used even where steps shall run again. */
  function copyOf(mount: BindMount, context: StepContext): Parameters<typeof copyStep> {
    const operation: CopyOperation = {
      op: "copy",
      origin: mount.origin,
      words: [{ kind: "path", path: literal(mount.source), ...writtenOf(mount) }],
      documents: [],
      target: "/",
      unpack: { local: false, remote: false },
      link: false,
      parents: false,
      exclude: [],
    };
    const request = requestOf(operation, [literal(mount.source)]);
    const find = async () => entryInputs(await sources.inputs(mount.origin, request), shownName);
    // It is in no image: what a step may see there it need not keep.
    const { layerGate: _, ...ungated } = context;
    return [operation, nothing, find, { ...ungated, useCache: true }];
  }

  return (context) => ({
    bind(mount): BindInput {
      const { origin, source, target } = mount;
      const named = <T>(work: () => Promise<T>) => work().catch((error: unknown) => asMountError(error, target));
      const input = (shown: () => Promise<Shown>, recorded: () => Promise<Shown | undefined>): BindInput => ({
        digest: () => named(async () => digestOfShown(await shown(), context, "kept")),
        known: () =>
          named(async () => {
            const found = await recorded();
            return found === undefined ? undefined : digestOfShown(found, context, "not kept");
          }),
        open: () => named(async () => directories(await shown(), context)),
      });
      if (origin.from === "context") {
        const recorded = async () => {
          const outcome = await lookupCopy(...copyOf(mount, context));
          return outcome === undefined ? undefined : shownByCopy(filesOf(outcome), context);
        };
        return input(async () => shownByCopy(await copied(mount, context), context), recorded);
      }
      const shown = async () => ({
        files: await sources.files(origin),
        source,
        inputs: () => sources.inputs(origin, requestFor(source, mount.written)),
      });
      return input(shown, shown);
    },
  });
}

/** A path in layers. */
interface Shown {
  readonly files: Files;
  readonly source: string;
  inputs(): Promise<CopyInputs>;
}

function shownByCopy(files: Files, context: StepContext): Shown {
  const origin = { chain: files.chain, describe: "the build context", rootfs: () => context.rootfs(files.layers) };
  return { files, source: shownName, inputs: async () => rootfsInputs(requestFor(shownName), origin, context.cache) };
}

function filesOf({ layer }: StepOutcome): Files {
  return { layers: [layer], chain: childChain(nothing.chain, layer.contentId) };
}

/** All that can be seen through a mount counts. */
function requestFor(path: string, written?: string): InputsRequest {
  const asked = literal(path);
  const named = written === undefined ? {} : { written: new Map([[asked, written]]) };
  return { paths: [asked], ...named, parents: false, exclude: [], irrelevant: { ignoreModes: false, ignoreOwners: false } };
}

/** Follows from the layers, and is kept under their chain, so that a warm build reads none of them. */
async function digestOfShown({ files, source, inputs }: Shown, context: StepContext, keep: "kept" | "not kept"): Promise<Digest> {
  const asked = digestOf(JSON.stringify(["mounted", files.chain, source]));
  const [known] = (await context.cache.roots(asked)) ?? [];
  if (known !== undefined) return known;
  const found = await inputs();
  const [root] = (await found.knownRoots()) ?? (await context.busy(() => found.merkles()));
  const { entry } = await lookIn(files, source, context);
  if (root === undefined) throw notFound(source);
  // What is mounted has no name of its own.
  const digest = digestOf(JSON.stringify([root.unnamed, ...ownAttributes(entry)]));
  if (keep === "kept") await context.cache.saveRoots(asked, [digest]);
  return digest;
}

async function directories({ files, source }: Shown, context: StepContext): Promise<BindDirectories> {
  const { entry } = await lookIn(files, source, context);
  return { layers: files.layers, source: `/${source}`, isFile: entry.kind !== "directory" };
}

async function lookIn(files: Files, source: string, context: StepContext): Promise<{ readonly entry: RootfsEntry }> {
  const { entry, path } = (await context.rootfs(files.layers)).resolve(bytesOf(source), { followLast: true });
  if (entry !== undefined) return { entry };
  if (path !== rootPath) throw notFound(source);
  return { entry: { kind: "directory", path, mode: 0o755, uid: 0, gid: 0, ...noTime } };
}

function writtenOf({ written }: BindMount): { readonly written?: string } {
  return written === undefined ? {} : { written };
}

/** A source of a mount is no pattern, as a word of COPY is. */
function literal(path: string): string {
  return hasWildcard(path) ? path.replace(/[\\*?[]/g, (char) => (char === "\\" ? "\\\\" : `[${char}]`)) : path;
}

const copyNotFound = "COPY_SOURCE_NOT_FOUND";

function notFound(source: string): TsbuildError {
  return new TsbuildError(copyNotFound, `looking for ${quotePath(bytesOf(`/${source}`))}: no such file or directory`);
}

function asMountError(error: unknown, target: string): never {
  if (!(error instanceof TsbuildError) || error.code !== copyNotFound) throw error;
  const details = { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  throw new TsbuildError("MOUNT_SOURCE_NOT_FOUND", `mounting on ${target}: ${error.message}`, details);
}
