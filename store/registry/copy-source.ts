import { removeTree } from "../../runtime-addon/index.ts";
import { type ArchiveContent, stageArchive } from "../archive/archive-content.ts";
import { namingSource } from "../archive/naming-source.ts";
import { ociFiles } from "../archive/oci-files.ts";
import type { BlobSource } from "../blobs.ts";
import { NotFoundError } from "../errors.ts";
import { fileBytes } from "../file-bytes.ts";
import { checkOciLayout } from "../layout.ts";
import type { Platform } from "../oci.ts";
import { parseIndex } from "../oci-parse.ts";
import { openPinned } from "../pinned-image.ts";
import { machinePlatform } from "../platform.ts";
import { fullName, type Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { checkNamedPlatform, checkStoredPlatform } from "./check-platform.ts";
import { type ImageGraph, type ImageReader, platformGraph, readGraph, sparseGraph } from "./image-graph.ts";
import { blobReader, repositoryReader } from "./image-readers.ts";
import { layoutBlobs, readLayoutFile } from "./layout-blobs.ts";
import { findEntry } from "./layout-entries.ts";
import type { Registry } from "./registry.ts";
import { noSuchImageHint, RegistryError } from "./registry-error.ts";
import type { RemoteManifest, Repository } from "./repository.ts";
import { storedGraph } from "./stored-graph.ts";

/** Where an image is, or shall be. */
export type CopyPlace =
  | { readonly kind: "registry"; readonly reference: Reference }
  /** A name of the store; to copy from, also an image id. */
  | { readonly kind: "store"; readonly name: string }
  /** An OCI image layout. Without a name: its only image, or one without a name. */
  | { readonly kind: "oci"; readonly directory: string; readonly name?: string | undefined }
  | { readonly kind: "oci-archive"; readonly file: string; readonly name?: string | undefined }
  /** For `docker load`. To copy from, the same as an OCI archive: which it is, its files tell. */
  | { readonly kind: "docker-archive"; readonly file: string; readonly name?: string | undefined };

/** Which platforms: all, one as an image of its own, or one with the index that lists it; `orOther`: an image without an index is taken whatever it is for. */
export type Selection =
  | "all"
  | { readonly only: Platform; readonly orOther: boolean }
  | { readonly listed: Platform; readonly orOther: boolean };

/** An image that is ready to be copied. What was needed for it goes when it is closed. */
export interface CopySource extends AsyncDisposable {
  readonly graph: ImageGraph;
  readonly reader: ImageReader;
  /** Where it is a registry's. */
  readonly repository?: Repository;
  /** Where it was opened for the image. */
  readonly store?: Store;
  /** What of the image is left out; absent: nothing. */
  readonly notes?: readonly string[];
}

export interface CopyContext {
  readonly registry: Registry;
  /** Opened when the image is in it or goes there, or where an archive or layers must be unpacked. */
  readonly store: () => Promise<Store>;
  /** Of an image of the store that is to be copied with all platforms: all or none. Absent: what is there. */
  readonly allPlatforms?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads all manifests of what shall be copied, and no layer but of an archive. Throws NotFoundError, REGISTRY_NOT_FOUND, PLATFORM_NOT_FOUND, and what reading throws. */
export async function openSource(place: CopyPlace, selection: Selection, context: CopyContext): Promise<CopySource> {
  switch (place.kind) {
    case "registry":
      return fromRegistry(place.reference, selection, context);
    case "store":
      return fromStore(place.name, selection, context);
    case "oci": {
      const { directory, name } = place;
      const content = async () => ({
        layout: readLayoutFile(directory, ociFiles.layout),
        index: readLayoutFile(directory, ociFiles.index),
        blobs: layoutBlobs(directory),
      });
      return fromLayout(directory, name, selection, context, content, async () => undefined);
    }
    case "oci-archive":
    case "docker-archive": {
      const { file, name } = place;
      const store = await context.store();
      const directory = await store.temp("copy");
      const content = () => namingSource("copying", file, store.root, () => stageArchive(fileBytes(file, context), directory, context));
      return { ...(await fromLayout(file, name, selection, context, content, () => removeTree(directory))), store };
    }
  }
}

async function fromRegistry(reference: Reference, selection: Selection, { registry, signal }: CopyContext): Promise<CopySource> {
  const repository = registry.repository(reference);
  const reader = repositoryReader(repository);
  const root = await repository.manifest(reference.digest ?? reference.tag ?? "latest", { signal });
  if (root === undefined)
    throw new RegistryError("REGISTRY_NOT_FOUND", `copying ${fullName(reference)}: the registry has no such image`, {
      hint: noSuchImageHint,
    });
  return { graph: await select(reader, root, selection, { signal }), reader, repository, [Symbol.asyncDispose]: async () => undefined };
}

async function fromStore(name: string, selection: Selection, context: CopyContext): Promise<CopySource> {
  const store = await context.store();
  const platform = selection === "all" ? undefined : wantedOf(selection);
  const image = await openPinned(store, name, platform);
  const stored = await storedGraph(store, image, name, selection === "all" && context.allPlatforms ? "all" : "any");
  const close = { [Symbol.asyncDispose]: async () => undefined };
  if (selection === "all") return { ...stored, ...close };
  if (platform !== undefined && !selection.orOther) checkStoredPlatform(image, platform, name);
  return { graph: await graphOfOne(stored.reader, stored.graph.root, selection, context), reader: stored.reader, ...close };
}

async function fromLayout(
  path: string,
  name: string | undefined,
  selection: Selection,
  context: CopyContext,
  open: () => Promise<Pick<ArchiveContent, "layout" | "index"> & { readonly blobs: BlobSource }>,
  close: () => Promise<void>,
): Promise<CopySource> {
  try {
    const { layout, index, blobs } = await open();
    checkOciLayout(layout, `${path}: oci-layout`);
    const platform = selection === "all" ? machinePlatform() : wantedOf(selection);
    const entry = findEntry(parseIndex(index, `${path}: index.json`), name, platform, path);
    const reader = blobReader(path, blobs);
    const root = await reader.manifest(entry);
    if (root === undefined) throw new NotFoundError(`reading ${path}: its index.json lists ${entry.digest}, which is not in it`);
    return { graph: await select(reader, root, selection, context), reader, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function select(
  reader: ImageReader,
  root: RemoteManifest,
  selection: Selection,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<ImageGraph> {
  if (selection === "all") return readGraph(reader, root, { signal });
  if (!selection.orOther) await checkNamedPlatform(reader, root, wantedOf(selection), { signal });
  return graphOfOne(reader, root, selection, { signal });
}

function graphOfOne(
  reader: ImageReader,
  root: RemoteManifest,
  selection: OnePlatform,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<ImageGraph> {
  return "only" in selection
    ? platformGraph(reader, root, selection.only, { signal })
    : sparseGraph(reader, root, selection.listed, { signal });
}

type OnePlatform = Exclude<Selection, "all">;

function wantedOf(selection: OnePlatform): Platform {
  return "only" in selection ? selection.only : selection.listed;
}
