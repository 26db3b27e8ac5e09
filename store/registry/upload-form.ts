import type { RegistryError } from "./registry-error.ts";

/**
 * How a blob's bytes are sent. `put`: with the closing PUT, two requests in all; what breaks begins again. `stream`: in one PATCH as docker push does
 * it, which every registry takes that docker can push to; after a break it goes on where the registry says it stands. `chunks`: in PATCHes of at most so many
 * bytes, which several registries do not take, so they are sent only for a reason: something in between limits what it lets through, or the line breaks
 * and the registry forgets a body that broke off, so that a stream would begin again and again.
 */
export type UploadForm = { readonly kind: "put" } | { readonly kind: "stream" } | UploadChunks;

interface UploadChunks {
  readonly kind: "chunks";
  readonly chunkBytes: number;
  readonly reason: "limit" | "line";
}

const mebibyte = 1024 * 1024;

/** Up to here it is cheaper to begin again than to ask one question more. */
const largestPut = 8 * mebibyte;

/** Under the 100 MB that Cloudflare takes, and a quarter of it again and again; 1 MiB is nginx's default. */
const largestChunk = 64 * mebibyte;
/** Little enough to get through where a stream did not. */
const largestLineChunk = 16 * mebibyte;
const smallestChunk = mebibyte;

export function firstForm(sizeBytes: number): UploadForm {
  return sizeBytes <= largestPut ? { kind: "put" } : { kind: "stream" };
}

/** The form to try after one was refused, at its beginning unless it was chosen for a bad line; undefined when the refusal is not about the form, or nothing is left to try. */
export function formAfter(refusal: RegistryError, form: UploadForm, tried: ReadonlySet<string>, sentBytes: number): UploadForm | undefined {
  if (refusal.status === 413) return smallerChunks(form, sentBytes);
  if (![400, 404, 405, 411, 415, 416, 501].includes(refusal.status ?? 0)) return undefined;
  if (form.kind === "chunks") return form.reason === "line" ? { kind: "stream" } : undefined;
  const other = form.kind === "put" ? "stream" : "put";
  return tried.has(other) ? undefined : { kind: other };
}

/** The form for beginning again after a request broke off and the registry no longer knows, or does not tell, what it had. */
export function formAfterLoss(form: UploadForm, tried: ReadonlySet<string>, sizeBytes: number): UploadForm {
  if (form.kind === "chunks") return { ...form, chunkBytes: chunkBelow(form.chunkBytes, largestLineChunk) };
  if (form.kind === "put" || tried.has("chunks")) return form;
  return { kind: "chunks", chunkBytes: chunkBelow(sizeBytes, largestLineChunk), reason: "line" };
}

function smallerChunks(form: UploadForm, sentBytes: number): UploadForm | undefined {
  const refused = form.kind === "chunks" ? Math.min(form.chunkBytes, sentBytes) : sentBytes;
  if (refused <= smallestChunk) return undefined;
  return { kind: "chunks", chunkBytes: chunkBelow(refused, largestChunk), reason: "limit" };
}

/** Less than so many bytes, if it is not the smallest. */
function chunkBelow(bytes: number, largest: number): number {
  let chunkBytes = largest;
  while (chunkBytes >= bytes && chunkBytes > smallestChunk) chunkBytes /= 4;
  return chunkBytes;
}
