import { isDigest } from "../digest.ts";
import { IntegrityError } from "../errors.ts";
import type { Call } from "./call.ts";
import type { HttpResponse } from "./http.ts";
import { leavesTls, ownUrl } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import { pullScope, pushScope, type RepositoryContext } from "./repository-context.ts";
import type { UploadForm } from "./upload-form.ts";
import { bodyOf, type UploadJob } from "./upload-job.ts";

/** An upload that the registry has begun ("Pushing blobs"). */
export interface UploadSession {
  /** Where the next request goes. */
  readonly location: URL;
  /** Bytes that the registry said it has. */
  readonly offset: number;
  /** OCI-Chunk-Min-Length: what every chunk but the last must have. */
  readonly minChunkBytes: number;
}

/** How long a failed upload is waited for to be cleared away. */
const cancelMs = 3_000;

// Each of these is one request that is not repeated: whoever repeats an upload asks first where it stands.

/** POST, end-4a. */
export async function openSession(context: RepositoryContext, job: UploadJob): Promise<UploadSession> {
  return sessionOf(context, await send(context, job, { method: "POST", target: "blobs/uploads/", expect: [202] }), job);
}

/**
 * POST, end-11: takes the blob over from another repository of the registry. A session where the registry offers an upload instead; undefined where it
 * refuses: then the blob is uploaded like any other.
 */
export async function mountBlob(context: RepositoryContext, job: UploadJob, from: string): Promise<"mounted" | UploadSession | undefined> {
  const { writing } = context.endpoints;
  const { digest } = job.target;
  try {
    const response = await send(context, job, {
      method: "POST",
      target: "blobs/uploads/",
      query: { mount: digest, from },
      scopes: [...pushScope(writing), ...pullScope({ ...writing, repository: from })],
      expect: [201, 202],
      once: false,
    });
    return response.status === 201 ? "mounted" : sessionOf(context, response, job);
  } catch (error) {
    // No right to read the other repository, no such repository, no mounts at all.
    if (error instanceof RegistryError && error.status !== undefined && error.status < 500) return undefined;
    if (error instanceof RegistryError && error.code === "REGISTRY_DENIED") return undefined;
    throw error;
  }
}

/**
 * PATCH, end-5: bytes from the session's offset to `end`. A stream goes without Content-Range, as Docker sends it; a chunk for a bad line on a connection of its
 * own, as some lines take only so much of each.
 */
export async function sendChunk(
  context: RepositoryContext,
  job: UploadJob,
  session: UploadSession,
  { end, form }: { readonly end: number; readonly form: UploadForm },
): Promise<UploadSession> {
  const { offset, location } = session;
  const response = await send(context, job, {
    method: "PATCH",
    target: location,
    headers: {
      "content-type": "application/octet-stream",
      ...((form.kind === "chunks" || offset > 0) && { "content-range": `${offset}-${end - 1}` }),
    },
    body: bodyOf(job, offset, end),
    alone: form.kind === "chunks" && form.reason === "line",
    // 202 is the spec's; ECR and others say the rest.
    expect: [200, 201, 202, 204],
  });
  const sent = sessionOf(context, response, job, { ...session, offset: end });
  const claimed = heldBytes(response);
  if (claimed === undefined || claimed === end) return sent;
  // Some registries say anything there. Only one that says the same twice is believed; otherwise the digest decides in the end.
  const asked = await askSession(context, job, sent);
  return asked !== undefined && asked.offset === claimed && claimed < end ? asked : sent;
}

/** GET, end-13: where an upload stands. Undefined when it is gone, or the registry does not say. */
export async function askSession(context: RepositoryContext, job: UploadJob, session: UploadSession): Promise<UploadSession | undefined> {
  try {
    const response = await send(context, job, { method: "GET", target: session.location, expect: [200, 202, 204] });
    const offset = heldBytes(response);
    return offset === undefined || offset > job.target.size ? undefined : sessionOf(context, response, job, { ...session, offset });
  } catch (error) {
    if (error instanceof RegistryError && !error.retryable && error.status !== undefined) return undefined;
    throw error;
  }
}

/** PUT, end-6: the bytes that are missing, and what all of them must hash to. */
export async function closeSession(context: RepositoryContext, job: UploadJob, session: UploadSession): Promise<void> {
  const { digest, size } = job.target;
  const { offset, location } = session;
  const response = await send(context, job, {
    method: "PUT",
    target: withDigest(location, digest),
    headers: { "content-type": "application/octet-stream" },
    body: bodyOf(job, offset, size),
    expect: [200, 201, 204],
  });
  const stored = response.header("docker-content-digest");
  if (stored !== undefined && isDigest(stored) && stored !== digest) throw new IntegrityError(job.doing, digest, stored);
}

/** DELETE: so that nothing half done stays. Whether it works no longer matters to anyone, so it never throws, and it takes its own short time. */
export async function cancelSession(context: RepositoryContext, job: UploadJob, session: UploadSession): Promise<void> {
  const call = { method: "DELETE", target: session.location, expect: [200, 202, 204, 404], signal: AbortSignal.timeout(cancelMs) } as const;
  await send(context, job, call).catch(() => undefined);
}

/** The answer, its body read. */
async function send(
  context: RepositoryContext,
  { doing, signal }: UploadJob,
  call: Pick<Call, "method" | "target" | "expect"> & Partial<Call>,
): Promise<HttpResponse> {
  const { writing } = context.endpoints;
  const response = await context.caller.call(writing, { doing, scopes: pushScope(writing), once: true, signal, ...call });
  await response.discard();
  return response;
}

/** Each answer may name a new place, whose query must be kept as it is. Throws REGISTRY_PROTOCOL for none, and for one where the bytes could be read by all. */
function sessionOf({ endpoints }: RepositoryContext, response: HttpResponse, { doing }: UploadJob, before?: UploadSession): UploadSession {
  const { url } = response;
  const header = response.header("location");
  if (header === undefined && before !== undefined) return before;
  const location = header !== undefined && URL.canParse(header, url.href) ? ownUrl(endpoints.writing, new URL(header, url)) : undefined;
  if (location === undefined || !/^https?:$/.test(location.protocol)) {
    throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the registry began an upload without saying where it goes (Location)`);
  }
  if (leavesTls(endpoints.writing, url, location)) {
    throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the registry wants the upload sent to ${location.host} by plain http`, {
      hint: "the registry's storage, or the proxy before it, is to hand out https addresses",
    });
  }
  const least = Number(response.header("oci-chunk-min-length") ?? "");
  const minChunkBytes = Number.isSafeInteger(least) && least > 0 ? least : (before?.minChunkBytes ?? 0);
  return { location, offset: before?.offset ?? 0, minChunkBytes };
}

/** From "Range: 0-99", or "bytes=0-99" as some say it. "0-0" is what most say for nothing at all, so it is as good as no answer. */
function heldBytes(response: HttpResponse): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d+)$/.exec(response.header("range")?.trim() ?? "")?.[1];
  return last === undefined || Number(last) === 0 ? undefined : Number(last) + 1;
}

function withDigest(location: URL, digest: string): URL {
  const url = new URL(location);
  // Not by searchParams, which would write the query anew: it may be signed.
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  url.hash = "";
  return url;
}
