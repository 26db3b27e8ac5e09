import { bytesOf } from "../../runtime-addon/index.ts";
import { namingSource } from "../../store/archive/naming-source.ts";
import { type PlainLimits, plainBytes } from "../../store/compression.ts";
import { digestOf } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import { fileBytes } from "../../store/file-bytes.ts";
import type { TreeEntry } from "../../store/layer/entry.ts";
import { type Rootfs, stackRootfs } from "../../store/layer/rootfs.ts";
import { contentsBytes, writeContents } from "../../store/layer/sparse-contents.ts";
import type { Store } from "../../store/store.ts";
import { teeToFile } from "../../store/tee-file.ts";
import { plainLimitsOf } from "../../store/unpack-limits.ts";
import { stepCache } from "../cache/records.ts";
import type { FetchedFile } from "../fetch/remote-sources.ts";
import type { ContextReader } from "../steps/context-inputs.ts";
import type { CopyInputs } from "../steps/copy-inputs.ts";
import { rootfsInputs } from "../steps/rootfs-inputs.ts";
import { type ArchiveOrText, archiveOrText, isTarFile } from "./archive-or-text.ts";
import type { OpenedSource } from "./open-context.ts";
import { largestText, textOf, textTooLarge } from "./small-text.ts";
import { newestFile, readContextTar } from "./tar-tree.ts";

export interface TarOptions {
  /** How errors call it. */
  readonly describe: string;
  /** The file itself, as errors say where. */
  readonly place: string;
  readonly store: () => Promise<Store>;
  readonly signal: AbortSignal;
  /** Of decompressing; absent: the store's. */
  readonly limits?: PlainLimits;
}

/**
 * A tar that comes as a stream, compressed or not, or else a Dockerfile. The tar is not unpacked: it is indexed while its plain bytes are written to a
 * temporary file of the store, where contents are read. Throws what readContextTar and plainBytes throw, and as archiveOrText.
 */
export async function openStream(bytes: AsyncIterable<Uint8Array>, options: TarOptions): Promise<OpenedSource> {
  const found = await archiveOrText(bytes, options.describe, options);
  return found.kind === "text" ? dockerfileAlone(found.text, options) : openTar(found, undefined, options);
}

/** The same for a file that nobody changes: of a plain tar no copy is made. Its time is the one that the server gave, if it gave one. */
export async function openFetched({ path, lastModified }: FetchedFile, options: TarOptions): Promise<OpenedSource> {
  const found = await archiveOrText(fileBytes(path, options), options.describe);
  const opened = await (found.kind === "text" ? dockerfileAlone(found.text, options) : openTar(found, path, options));
  return lastModified === undefined ? opened : { ...opened, time: async () => lastModified };
}

/** A file of the web as a named context: what is in it if it is a tar, compressed or not, else the file itself under the name "context", as with BuildKit. */
export async function openFetchedFiles(file: FetchedFile, options: TarOptions): Promise<OpenedSource> {
  const { digest, path, size, lastModified } = file;
  if (await isTarFile(path)) return openFetched(file, options);
  const mode = 0o600;
  const entry: TreeEntry = {
    ...{ kind: "file", path: bytesOf("context"), mode, uid: 0, gid: 0, mtime: lastModified ?? 0, mtimeNsec: 0 },
    ...{ size, digest, offset: 0 },
  };
  // One file is a layer's "tar" too: its content begins at 0.
  const tree = { diffId: digest, contentId: digest, size, entries: [entry] };
  return sourceOf(stackRootfs([{ tree, tar: async () => path }]), `file ${digest}`, options, lastModified);
}

/** No files. */
export function openEmpty(options: TarOptions): OpenedSource {
  return sourceOf(stackRootfs([]), "empty", options);
}

/** `file`: where the bytes can be read again. */
async function openTar(
  { bytes, isCompressed }: Extract<ArchiveOrText, { kind: "tar" }>,
  file: string | undefined,
  options: TarOptions,
): Promise<OpenedSource> {
  const { describe, signal } = options;
  const store = await options.store();
  const limits = options.limits ?? plainLimitsOf(store.unpackLimits);
  const plain = plainBytes(bytes, { signal, limits });
  const temp = isCompressed || file === undefined ? await store.tempFile("context") : undefined;
  const written = temp === undefined ? plain : teeToFile(plain, temp, { sync: false, signal });
  const tree = await namingSource("reading", describe, store.root, () => readContextTar(written, store.unpackLimits));
  if (tree.size === 0) throw new TsbuildError("INVALID_TAR", `reading ${describe}: the archive is empty`);
  const plainTar = temp ?? file ?? "";
  const tar = contentsBytes(tree) === undefined ? plainTar : await store.tempFile("context");
  if (tar !== plainTar) await writeContents(plainTar, tar, tree);
  return sourceOf(stackRootfs([{ tree, tar: async () => tar }]), tree.diffId, options, newestFile(tree));
}

/** A Dockerfile that came without files: what COPY misses can be told why. */
function dockerfileAlone(text: string, options: TarOptions): OpenedSource {
  const empty = openEmpty(options);
  return {
    ...empty,
    context: { ...empty.context, place: () => options.place, dockerfile: text },
    reader: async (rules) =>
      hinting(await empty.reader(rules), "there are no files: the context is a Dockerfile alone; give a directory too: -f - DIR"),
  };
}

/** `identity` stands for all that is in the root file system, `time` is its own. */
function sourceOf(rootfs: Rootfs, identity: string, { describe, place, store }: TarOptions, time?: number): OpenedSource {
  const chain = digestOf(`context ${identity}`);
  return {
    context: { describe, place: (path) => `${place}/${path}`, readText: (path) => readText(rootfs, path, describe) },
    async reader() {
      const cache = stepCache(await store());
      return {
        inputs: async (request) => rootfsInputs(request, { chain, describe, rootfs: async () => rootfs }, cache),
        save: async () => undefined,
      };
    },
    time: async () => time,
  };
}

async function readText(rootfs: Rootfs, path: string, describe: string): Promise<string | undefined> {
  const { path: place, entry } = rootfs.resolve(bytesOf(path), { followLast: true });
  if (entry === undefined) return undefined;
  const name = `${path} in ${describe}`;
  if (entry.kind !== "file") throw new TsbuildError("DOCKERFILE_UNREADABLE", `reading ${name}: it is a ${entry.kind}`);
  if (entry.size > largestText) throw textTooLarge(name);
  return textOf(await rootfs.read(place, { limit: largestText }), name);
}

/** The same reader, whose errors about what is missing say why. */
function hinting(reader: ContextReader, hint: string): ContextReader {
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TsbuildError) || error.code !== "COPY_SOURCE_NOT_FOUND") throw error;
      throw new TsbuildError(error.code, error.message, { cause: error, hint });
    }
  };
  return {
    ...reader,
    async inputs(request): Promise<CopyInputs> {
      const inputs = await explained(() => reader.inputs(request));
      return { ...inputs, sources: () => explained(inputs.sources), merkles: (known) => explained(() => inputs.merkles(known)) };
    },
  };
}
