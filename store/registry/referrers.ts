import { type Digest, hexOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import { isIndexType, maxManifestBytes, parseIndex } from "../oci-parse.ts";
import { manifestFrom } from "./manifests.ts";
import { readPages } from "./pages.ts";
import { RegistryError } from "./registry-error.ts";
import { type RepositoryContext, referenceText } from "./repository-context.ts";

export interface ReferrersOptions extends Abortable {
  readonly artifactType?: string;
}

/** The tag under which registries without a referrers API keep the index of an image's referrers ("Referrers Tag Schema"). */
export function referrersTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`;
}

// Registries without the API say so in many ways.
const withoutApi = [400, 404, 405, 406, 415, 501];

/**
 * As Repository.referrers: end-12a and end-12b, else the tag schema. Asked of the registry itself: referrers change, and a mirror's may be old.
 */
export async function listReferrers(
  context: RepositoryContext,
  subject: Digest,
  options: ReferrersOptions = {},
): Promise<readonly Descriptor[]> {
  const byApi = await referrersByApi(context, subject, options).catch((error: unknown) => {
    // Some registries without the API refuse it to everybody; who may not read at all hears so when asking for the tag.
    if (error instanceof RegistryError && error.code === "REGISTRY_DENIED") return undefined;
    throw error;
  });
  return byApi ?? (await referrersByTag(context, subject, options));
}

/** Undefined where there is no such API. */
async function referrersByApi(
  context: RepositoryContext,
  subject: Digest,
  { artifactType, signal }: ReferrersOptions,
): Promise<Descriptor[] | undefined> {
  const doing = `listing the referrers of ${referenceText(context, subject)}`;
  const list = {
    doing,
    target: `referrers/${subject}`,
    ...(artifactType !== undefined && { query: { artifactType } }),
    headers: { accept: mediaTypes.index },
    otherwise: withoutApi,
    limitBytes: maxManifestBytes,
    signal,
  };
  const found: Descriptor[] = [];
  let pages = 0;
  for await (const { response, bytes } of readPages(context, list)) {
    const page = response.status === 200 ? indexEntries(bytes, doing) : undefined;
    // No such API, a page for people, or the front of another service.
    if (page === undefined && pages === 0) return undefined;
    if (page === undefined) throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: a page of the list is no index`);
    const filtered = /\bartifactType\b/.test(response.header("oci-filters-applied") ?? "");
    found.push(...(filtered ? page : ofType(page, artifactType)));
    pages += 1;
  }
  return found;
}

async function referrersByTag(
  context: RepositoryContext,
  subject: Digest,
  { artifactType, signal }: ReferrersOptions,
): Promise<readonly Descriptor[]> {
  const manifest = await manifestFrom(context, context.endpoints.writing, referrersTag(subject), { signal });
  // Some registries read the tag as the digest that it is made of, and answer with the subject itself.
  if (manifest === undefined || manifest.descriptor.digest === subject || !isIndexType(manifest.descriptor.mediaType)) return [];
  return ofType(parseIndex(manifest.bytes, `referrers of ${referenceText(context, subject)}`).manifests, artifactType);
}

function indexEntries(bytes: Buffer, doing: string): readonly Descriptor[] | undefined {
  try {
    return parseIndex(bytes, doing).manifests;
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}

function ofType(descriptors: readonly Descriptor[], artifactType: string | undefined): readonly Descriptor[] {
  return artifactType === undefined ? descriptors : descriptors.filter((descriptor) => descriptor.artifactType === artifactType);
}
