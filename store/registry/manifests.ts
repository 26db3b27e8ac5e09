import { type Digest, digestOf, isDigest } from "../digest.ts";
import { IntegrityError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { isIndexType, isManifestType, maxManifestBytes } from "../oci-parse.ts";
import { restated } from "./doing.ts";
import type { Endpoint } from "./endpoint.ts";
import { acceptedManifests, essenceOf, manifestTypeOf } from "./manifest-type.ts";
import { askServers } from "./mirrors.ts";
import { readAnswer } from "./read-answer.ts";
import { RegistryError } from "./registry-error.ts";
import type { RemoteManifest } from "./repository.ts";
import { pullScope, pushScope, type RepositoryContext, referenceText } from "./repository-context.ts";

// Manifests of a repository: end-3, end-7 and end-9 of the distribution spec.

/** As Repository.manifest. */
export function readManifest(context: RepositoryContext, reference: string, options: Abortable = {}): Promise<RemoteManifest | undefined> {
  return askServers(context, (endpoint) => manifestFrom(context, endpoint, reference, options), options);
}

/** The same from one server. */
export async function manifestFrom(
  context: RepositoryContext,
  endpoint: Endpoint,
  reference: string,
  options: Abortable = {},
): Promise<RemoteManifest | undefined> {
  const doing = `pulling manifest ${referenceText(context, reference)}`;
  const { response, bytes } = await readAnswer(
    context,
    endpoint,
    {
      doing,
      method: "GET",
      target: `manifests/${reference}`,
      headers: { accept: acceptedManifests },
      scopes: pullScope(endpoint),
      expect: [200, 404],
      ...options,
    },
    maxManifestBytes,
  );
  if (response.status === 404) return undefined;
  const digest = digestOf(bytes);
  // Of a digest that was asked for, that is what counts; the header may be of another algorithm or wrong ("Pulling manifests").
  const expected = reference.includes(":") ? reference : response.header("docker-content-digest");
  if (expected !== undefined && isDigest(expected) && expected !== digest) throw new IntegrityError(doing, expected, digest);
  const mediaType = manifestTypeOf(bytes, response.header("content-type"), doing);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** As Repository.resolve. */
export function resolveManifest(context: RepositoryContext, reference: string, options: Abortable = {}): Promise<Descriptor | undefined> {
  return askServers(context, (endpoint) => resolveFrom(context, endpoint, reference, options), options);
}

// Answers to HEAD that may be about the method only, or whose reason GET alone tells: HEAD has no body.
const refusalsOfHead = [400, 403, 405, 406, 415, 501];

async function resolveFrom(
  context: RepositoryContext,
  endpoint: Endpoint,
  reference: string,
  options: Abortable,
): Promise<Descriptor | undefined> {
  const response = await context.caller.call(endpoint, {
    doing: `looking up ${referenceText(context, reference)}`,
    method: "HEAD",
    target: `manifests/${reference}`,
    headers: { accept: acceptedManifests },
    scopes: pullScope(endpoint),
    expect: [200, 404, ...refusalsOfHead],
    ...options,
  });
  await response.discard();
  if (response.status === 404) return undefined;
  const mediaType = essenceOf(response.header("content-type"));
  const digest = response.header("docker-content-digest") ?? "";
  const size = Number(response.header("content-length") ?? "");
  const whole = response.status === 200 && (isIndexType(mediaType) || isManifestType(mediaType)) && Number.isSafeInteger(size) && size > 0;
  if (whole && isDigest(digest) && (digest === reference || !reference.includes(":"))) return { mediaType, digest, size };
  return (await manifestFrom(context, endpoint, reference, options))?.descriptor;
}

/** As Repository.putManifest. */
export async function putManifest(
  context: RepositoryContext,
  mediaType: string,
  bytes: Buffer,
  tags: readonly string[],
  options: Abortable = {},
): Promise<{ readonly subject: boolean }> {
  const digest = digestOf(bytes);
  let subject = false;
  // A tag's PUT stores the manifest under its digest too.
  for (const reference of tags.length === 0 ? [digest] : tags) {
    subject = (await putUnder(context, reference, { mediaType, digest, bytes }, options)) || subject;
  }
  return { subject };
}

async function putUnder(
  context: RepositoryContext,
  reference: string,
  { mediaType, digest, bytes }: { readonly mediaType: string; readonly digest: Digest; readonly bytes: Buffer },
  options: Abortable,
): Promise<boolean> {
  const { writing } = context.endpoints;
  const doing = `pushing manifest ${referenceText(context, reference)}`;
  const response = await context.caller
    .call(writing, {
      doing,
      method: "PUT",
      target: `manifests/${reference}`,
      headers: { "content-type": mediaType },
      body: {
        sizeBytes: bytes.length,
        async *open() {
          yield bytes;
        },
      },
      scopes: pushScope(writing),
      // 201 is the spec's; the others are said too, and mean the same.
      expect: [200, 201, 202, 204],
      ...options,
    })
    .catch((error: unknown) => {
      throw isImmutableTag(error) ? immutableTag(error, reference) : error;
    });
  await response.discard();
  const stored = response.header("docker-content-digest");
  if (stored !== undefined && isDigest(stored) && stored !== digest) throw new IntegrityError(doing, digest, stored);
  return (response.header("oci-subject") ?? "") !== "";
}

/** Registries have no common code for a tag that may not be moved: 412, TAG_INVALID, or only words. */
function isImmutableTag(error: unknown): error is RegistryError {
  if (!(error instanceof RegistryError) || error.status === undefined) return false;
  if (error.status === 412) return true;
  const said = error.diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n");
  return error.status < 500 && /immutab|ImageTagAlreadyExists/i.test(said);
}

function immutableTag(error: RegistryError, tag: string): RegistryError {
  return restated(error, error.message, { hint: `the tag "${tag}" exists and is immutable there: push under another one` });
}

/** As Repository.deleteManifest. */
export async function deleteManifest(context: RepositoryContext, digest: Digest, options: Abortable = {}): Promise<void> {
  const { writing } = context.endpoints;
  const doing = `deleting manifest ${referenceText(context, digest)}`;
  const response = await context.caller.call(writing, {
    doing,
    method: "DELETE",
    target: `manifests/${digest}`,
    scopes: [{ repository: writing.repository, actions: ["pull", "delete"] }],
    expect: [200, 202, 204, 405],
    ...options,
  });
  await response.discard();
  if (response.status === 405) {
    throw new RegistryError("REGISTRY_FAILED", `${doing}: the registry does not allow deleting`, {
      hint: "deleting is switched on in the registry's own configuration",
      status: 405,
    });
  }
}
