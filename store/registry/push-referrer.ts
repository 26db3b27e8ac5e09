import { canonicalJson } from "../canonical-json.ts";
import { type Digest, isDigest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { emptyIndex } from "../layout.ts";
import { type Descriptor, type Index, mediaTypes } from "../oci.ts";
import { isIndexType, parseIndex } from "../oci-parse.ts";
import type { Document } from "./convert.ts";
import { type PushingOptions, pushManifest } from "./push-blob.ts";
import { referrersTag } from "./referrers.ts";
import type { Repository } from "./repository.ts";

/**
 * Puts a manifest that may refer to another one. Where the registry takes no note of it, being without the referrers API, the manifest is added to the index under the
 * subject's tag (distribution spec, "Pushing Manifests with Subject"). That index is read and written again: of two programs that do so at the same moment one may lose its
 * entry, which nothing in the protocol prevents.
 */
export async function pushReferrer(
  repository: Repository,
  document: Document,
  tags: readonly string[],
  options: PushingOptions = {},
): Promise<Descriptor> {
  const { descriptor, subject: noted } = await pushManifest(repository, document, tags, options);
  const { subject, ...about } = referrerFields(document);
  if (subject !== undefined && !noted) await addToTag(repository, subject, { ...descriptor, ...about }, options);
  return descriptor;
}

/** All else that is in it stays; nothing is written where this one is listed already. */
async function addToTag(repository: Repository, subject: Digest, referrer: Descriptor, { signal }: Abortable): Promise<void> {
  const index = await taggedIndex(repository, subject, { signal });
  if (index.manifests.some(({ digest }) => digest === referrer.digest)) return;
  const bytes = canonicalJson({ ...index, mediaType: mediaTypes.index, manifests: [...index.manifests, referrer] });
  await repository.putManifest(mediaTypes.index, bytes, [referrersTag(subject)], { signal });
}

/** By the tag alone, whatever the referrers API may list; an empty one where there is none. */
async function taggedIndex(repository: Repository, subject: Digest, { signal }: Abortable): Promise<Index> {
  const tag = referrersTag(subject);
  const found = await repository.manifest(tag, { mirrors: false, signal });
  // Some registries read the tag as the digest that it is made of, and answer with the subject itself, which may be an index too.
  if (found === undefined || found.descriptor.digest === subject || !isIndexType(found.descriptor.mediaType)) return emptyIndex;
  return parseIndex(found.bytes, tag);
}

interface Fields {
  readonly subject?: { readonly digest?: string };
  readonly artifactType?: string;
  readonly config?: { readonly mediaType?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a referrers list says of a manifest besides its descriptor. */
function referrerFields({ bytes }: Document): { readonly subject?: Digest } & Pick<Descriptor, "artifactType" | "annotations"> {
  const { subject, artifactType, config, annotations } = JSON.parse(bytes.toString()) as Fields;
  const digest = subject?.digest;
  if (digest === undefined || !isDigest(digest)) return {};
  const type = artifactType ?? config?.mediaType;
  return { subject: digest, ...(type !== undefined && { artifactType: type }), ...(annotations !== undefined && { annotations }) };
}
