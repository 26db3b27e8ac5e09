import { canonicalJson } from "../canonical-json.ts";
import { type Digest, isDigest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
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

/** Other entries stay; nothing is written where this one is listed already. */
async function addToTag(repository: Repository, subject: Digest, referrer: Descriptor, { signal }: Abortable): Promise<void> {
  const listed = await repository.referrers(subject, { signal });
  if (listed.some(({ digest }) => digest === referrer.digest)) return;
  const index = canonicalJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...listed, referrer] });
  await repository.putManifest(mediaTypes.index, index, [referrersTag(subject)], { signal });
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
