import { stepCache } from "../../../builder/cache/records.ts";
import { directoryContext } from "../../../builder/context/directory.ts";
import { parseIgnoreFile } from "../../../builder/context/ignore.ts";
import { baseChain } from "../../../builder/plan/key.ts";
import type { CopyOperation } from "../../../builder/plan/operation.ts";
import { contextReader } from "../../../builder/steps/context-inputs.ts";
import { copyStep } from "../../../builder/steps/copy.ts";
import { type InputsRequest, requestOf } from "../../../builder/steps/copy-inputs.ts";
import type { Files, StepContext, StepOutcome } from "../../../builder/steps/step.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Rootfs } from "../../../store/layer/rootfs.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { amd64 } from "../plan/planned.ts";
import { shown } from "./trees.ts";

export const noFiles: Files = { layers: [], chain: baseChain([]) };

export function temporaryStore(): Promise<Store> {
  return openStore(`${temporaryDirectory("store")}/store`);
}

/** What a step needs of its build, on a store; the clock stands still unless `now` says otherwise. */
export function stepContext(store: Store, change: Partial<StepContext> = {}): StepContext {
  return {
    store,
    cache: stepCache(store),
    platform: amd64,
    useCache: true,
    signal: new AbortController().signal,
    rootfs: (layers) => openRootfs(store.layers, layers),
    busy: (work) => work(),
    once: (_key, work) => work(),
    now: Date.now,
    ...change,
  };
}

/** A layer of the store made of entries, and what stands on it alone. */
export async function filesOf(store: Store, entries: readonly SourceEntry[]): Promise<Files> {
  const tempTar = `${await store.temp("test")}/layer.tar`;
  const tree = await writeLayer(entries, tempTar, { sync: false, ignoreMtime: () => false });
  const layer = await store.layers.add(tree, { tempTar });
  return { layers: [layer], chain: baseChain([layer.diffId]) };
}

/** What a test says of a COPY: `sources` are its words where all are paths. */
export type CopyChange = Partial<CopyOperation> & { readonly sources?: readonly string[] };

export function copyOperation({ sources = [""], ...change }: CopyChange = {}): CopyOperation {
  return {
    op: "copy",
    origin: { from: "context" },
    words: sources.map((path) => ({ kind: "path", path })),
    documents: [],
    target: "/",
    unpack: { local: false, remote: false },
    link: false,
    parents: false,
    exclude: [],
    ...change,
  };
}

/** Of an operation whose words are all paths. */
export function pathRequest(operation: CopyOperation): InputsRequest {
  return requestOf(
    operation,
    operation.words.flatMap((word) => (word.kind === "path" ? [word.path] : [])),
  );
}

/** One COPY from a directory, as a build of its own does it: nothing is remembered but what is in the store. */
export async function copyFrom(
  root: string,
  operation: CopyOperation,
  context: StepContext,
  { files = noFiles, ignore }: { readonly files?: Files; readonly ignore?: string } = {},
): Promise<StepOutcome> {
  const rules = ignore === undefined ? undefined : parseIgnoreFile(ignore);
  const reader = contextReader(context.store, directoryContext(root, rules), context.now);
  const outcome = await copyStep(operation, files, () => reader.inputs(pathRequest(operation)), context);
  await reader.save();
  return outcome;
}

/** The root file system of one layer. */
export function layerRootfs(store: Store, { layer }: StepOutcome): Promise<Rootfs> {
  return openRootfs(store.layers, [layer]);
}

/** What a step's layer holds, as `shown` says it. */
export async function entriesOf(store: Store, { layer }: StepOutcome): Promise<string[]> {
  const { entries } = await store.layers.tree(layer.diffId);
  return shown(entries.map((entry) => (entry.kind === "file" ? { ...entry, content: { at: "bytes", bytes: Buffer.alloc(0) } } : entry)));
}
