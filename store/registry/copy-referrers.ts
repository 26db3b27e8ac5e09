import type { Digest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { isIndexType, isManifestType } from "../oci-parse.ts";
import { copyToRegistry, type ToRegistryOptions } from "./copy-to-registry.ts";
import { type ImageGraph, type ImageReader, readGraph } from "./image-graph.ts";
import type { Repository } from "./repository.ts";

const maxReferrers = 1000;

export interface ReferrersCopyOptions extends ToRegistryOptions {
  /** Hears what was left out. */
  readonly onNote?: ((message: string) => void) | undefined;
}

/**
 * Copies what refers to an image, to any of its platforms, or to such a referrer itself: signatures, SBOMs. What is no manifest of a type that is known here is left out: nobody
 * could say what belongs to it. Answers how many were copied.
 */
export async function copyReferrers(
  graph: ImageGraph,
  from: Repository,
  reader: ImageReader,
  to: Repository,
  options: ReferrersCopyOptions,
): Promise<number> {
  const { signal, onNote } = options;
  const subjects = graph.documents.map(({ descriptor }) => descriptor.digest);
  const copied = new Set<Digest>(subjects);
  const before = copied.size;
  let left = 0;
  for (let subject = subjects.shift(); subject !== undefined; subject = subjects.shift()) {
    for (const referrer of await from.referrers(subject, { signal })) {
      if (copied.has(referrer.digest)) continue;
      if (copied.size - before >= maxReferrers)
        throw new TsbuildError("TOO_LARGE", `copying referrers of ${graph.root.descriptor.digest}: more than ${maxReferrers}`);
      const own = await referrerGraph(reader, subject, referrer, { signal });
      if (own === undefined) {
        onNote?.(
          `${subject}: the referrer ${referrer.digest} is left out: it is no manifest of a type that is known (${referrer.mediaType})`,
        );
        copied.add(referrer.digest);
        left++;
        continue;
      }
      await copyToRegistry(own, reader, to, [], options);
      for (const { descriptor } of own.documents) copied.add(descriptor.digest);
      subjects.push(referrer.digest);
    }
  }
  return copied.size - before - left;
}

/** Undefined where the referrer, or what belongs to it, is of an unknown type. Registries may say of such a manifest that it is not there, as nobody can ask for its type. */
async function referrerGraph(
  reader: ImageReader,
  subject: Digest,
  referrer: Descriptor,
  options: Abortable,
): Promise<ImageGraph | undefined> {
  if (!isManifestType(referrer.mediaType) && !isIndexType(referrer.mediaType)) return undefined;
  try {
    const document = await reader.manifest(referrer, options);
    if (document === undefined)
      throw new NotFoundError(`copying referrers of ${subject}: ${reader.label} lists ${referrer.digest}, which is not there`);
    return await readGraph(reader, document, options);
  } catch (error) {
    if (error instanceof TsbuildError && error.code === "UNSUPPORTED_MANIFEST") return undefined;
    throw error;
  }
}
