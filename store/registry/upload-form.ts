import type { RegistryError } from "./registry-error.ts";

/**
 * How a blob's bytes are sent. `put`: with the closing PUT, two requests in all; what breaks begins again. `stream`: in one PATCH as docker push does
 * it, which every registry takes that docker can push to; after a break it goes on where the registry says it stands. `chunks`: in PATCHes of at most so many
 * bytes, for proxies that refuse larger bodies (several registries take no chunks, so nothing else asks for them).
 */
export type UploadForm = { readonly kind: "put" } | { readonly kind: "stream" } | { readonly kind: "chunks"; readonly chunkBytes: number };

const mebibyte = 1024 * 1024;

/** Up to here it is cheaper to begin again than to ask one question more. */
const largestPut = 8 * mebibyte;

/** Under the 100 MB that Cloudflare takes, and a quarter of it again and again; 1 MiB is nginx's default. */
const largestChunk = 64 * mebibyte;
const smallestChunk = mebibyte;

export function firstForm(sizeBytes: number): UploadForm {
  return sizeBytes <= largestPut ? { kind: "put" } : { kind: "stream" };
}

/** The form to try after one was refused at its beginning; undefined when the refusal is not about the form, or nothing is left to try. */
export function formAfter(refusal: RegistryError, form: UploadForm, tried: ReadonlySet<string>, sentBytes: number): UploadForm | undefined {
  if (refusal.status === 413) return smallerChunks(form, sentBytes);
  if (form.kind === "chunks" || ![400, 404, 405, 411, 415, 501].includes(refusal.status ?? 0)) return undefined;
  const other = form.kind === "put" ? "stream" : "put";
  return tried.has(other) ? undefined : { kind: other };
}

function smallerChunks(form: UploadForm, sentBytes: number): UploadForm | undefined {
  const refused = form.kind === "chunks" ? Math.min(form.chunkBytes, sentBytes) : sentBytes;
  if (refused <= smallestChunk) return undefined;
  let chunkBytes = largestChunk;
  while (chunkBytes >= refused && chunkBytes > smallestChunk) chunkBytes /= 4;
  return { kind: "chunks", chunkBytes };
}
