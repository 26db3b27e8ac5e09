import { TsbuildError } from "../errors.ts";
import { parseNewName } from "../image-names.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { machinePlatform } from "../platform.ts";
import { parseReference } from "../reference.ts";
import { blobPlaces } from "./blob-places.ts";
import type { ImageFormat } from "./convert.ts";
import { convertGraph, isPartial } from "./convert-graph.ts";
import { copyReferrers } from "./copy-referrers.ts";
import { type CopyContext, type CopyPlace, type CopySource, openSource, type Selection } from "./copy-source.ts";
import { copyToArchive } from "./copy-to-archive.ts";
import { copyToLayout } from "./copy-to-layout.ts";
import { copyToRegistry } from "./copy-to-registry.ts";
import { copyToStore } from "./copy-to-store.ts";
import { forDockerLoad } from "./for-docker-load.ts";
import type { ImageGraph } from "./image-graph.ts";
import { namingDestination } from "./naming-destination.ts";
import { targetsOf } from "./push.ts";
import type { PushingOptions } from "./push-blob.ts";
import { pushStored } from "./push-stored.ts";

export type { CopyContext, CopyPlace } from "./copy-source.ts";

export interface CopyOptions extends PushingOptions, CopyContext {
  readonly from: CopyPlace;
  readonly to: CopyPlace;
  /** This one alone; into the store with the index that lists it, as a pull does it. */
  readonly platform?: Platform | undefined;
  /** Also attestations. Absent: yes, but into the store and an archive of Docker's this machine's platform alone. `platform` counts first. */
  readonly allPlatforms?: boolean | undefined;
  /** Also what refers to the image; from registry to registry. */
  readonly referrers?: boolean | undefined;
  /** Absent: every document keeps its bytes. */
  readonly format?: ImageFormat | undefined;
  /** Hears what was left out. */
  readonly onNote?: ((message: string) => void) | undefined;
}

/**
 * Copies an image from one place to another, and answers its manifest or index as it is there. Bytes and digests stay as they are unless another format is asked for; but the
 * store's plain layers are compressed on their way to a registry, as in a push. Blobs that the target has do not move; within one registry they are mounted; between registries,
 * layouts and archives they go straight from one to the other, but that layers compressed by zstd are unpacked for `docker load`. What is known of where blobs are is used where the store is open anyway, and never opens it. Throws NotFoundError,
 * REGISTRY_NOT_FOUND, PLATFORM_NOT_FOUND, NOT_CONVERTIBLE, UNSUPPORTED_COPY, INVALID_REFERENCE, NOT_AN_IMAGE, DESTINATION_EXISTS, NOT_A_FILE, WRITE_FAILED, IntegrityError, RegistryError, and `signal.reason`.
 */
export async function copyImage(options: CopyOptions): Promise<Descriptor> {
  const { from, to, platform, allPlatforms, format, signal, onEvent, onNote } = options;
  checkReferrers(options);
  checkDestination(options);
  if (from.kind === "store" && to.kind === "registry") {
    const store = await options.store();
    return pushStored(store, options.registry, from.name, [to.reference], { platform, allPlatforms, format, signal, onEvent, onNote });
  }
  await using source = await openSource(from, selectionOf(options), options);
  const { graph: converted, notes } = format === undefined ? { graph: source.graph, notes: [] } : convertGraph(source.graph, format);
  for (const note of [...(source.notes ?? []), ...notes]) onNote?.(note);
  if (to.kind === "store" && platform === undefined && isPartial(converted))
    onNote?.(`${to.name} has this machine's platform alone, not all that its index lists: --all-platforms takes all`);
  await using loadable = to.kind === "docker-archive" ? await forDockerLoad(converted, source.reader, options.store, options) : undefined;
  const { graph, reader } = loadable ?? { graph: converted, reader: source.reader };
  await deliver({ ...source, reader }, graph, options);
  const { mediaType, digest, size } = graph.root.descriptor;
  return { mediaType, digest, size };
}

function checkReferrers({ from, to, referrers = false, format }: CopyOptions): void {
  if (!referrers) return;
  if (from.kind !== "registry" || to.kind !== "registry") {
    throw new TsbuildError("UNSUPPORTED_COPY", "copying referrers: they can go from registry to registry only");
  }
  if (format !== undefined) {
    throw new TsbuildError("UNSUPPORTED_COPY", "copying referrers: they know the image by its digest, which another format changes");
  }
}

/** A name that cannot be given is refused before anything is read. Throws INVALID_REFERENCE. */
function checkDestination({ to, registry }: CopyOptions): void {
  if (to.kind === "registry") targetsOf(registry, [to.reference]);
  if (to.kind === "store") parseReference(to.name);
  if (to.kind === "docker-archive" && to.name !== undefined) parseNewName(to.name);
}

function selectionOf({ to, platform, allPlatforms = to.kind !== "store" && to.kind !== "docker-archive" }: CopyOptions): Selection {
  if (allPlatforms && platform === undefined) return "all";
  const one = platform ?? machinePlatform();
  const orOther = platform === undefined;
  return to.kind === "store" ? { listed: one, orOther } : { only: one, orOther };
}

async function deliver({ reader, repository, store }: CopySource, graph: ImageGraph, options: CopyOptions): Promise<void> {
  const { to, registry, signal, onEvent, onNote, referrers } = options;
  const { parallel } = registry.settings;
  switch (to.kind) {
    case "registry":
      for (const target of targetsOf(registry, [to.reference])) {
        const sending = { signal, onEvent, parallel, places: store && blobPlaces(store) };
        await copyToRegistry(graph, reader, target.repository, target.tags, sending);
        if (referrers && repository !== undefined)
          await copyReferrers(graph, repository, reader, target.repository, { ...sending, onNote });
      }
      return;
    case "store":
      return copyToStore(await options.store(), graph, reader, [to.name], { repository, signal, onEvent });
    case "oci":
      return namingDestination(to.directory, reader, (source) =>
        copyToLayout(to.directory, graph, source, to.name, { signal, onEvent, parallel }),
      );
    case "oci-archive":
    case "docker-archive":
      return namingDestination(to.file, reader, (source) => copyToArchive(to, graph, source, { signal, onEvent }));
  }
}
