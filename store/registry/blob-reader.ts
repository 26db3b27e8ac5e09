import { IntegrityError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import { progressBytes } from "./pace.ts";
import { RegistryError } from "./registry-error.ts";
import type { DownloadOptions } from "./repository.ts";
import { pullScope, type RepositoryContext, retryingOf } from "./repository-context.ts";

export interface BlobRange {
  readonly target: Descriptor;
  /** The first byte wanted. */
  readonly offset: number;
  readonly doing: string;
  readonly options: DownloadOptions;
}

/**
 * The rest of a blob from one server, whose connections may break: each try goes on where the last one stopped. Yields at most the bytes that are
 * missing; IntegrityError for an answer that is too long. The digest is the caller's to check.
 */
export async function* blobReader(
  context: RepositoryContext,
  endpoint: Endpoint,
  range: BlobRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { target, doing, options } = range;
  const { signal, onRetry } = options;
  let offset = range.offset;
  let ranges = true;
  let open: AsyncIterator<Uint8Array> | undefined;

  const connect = async () => {
    let response = await request(context, endpoint, range, ranges ? offset : 0);
    if (response.status === 416 || (response.status === 206 && !answersRange(response, offset, target.size))) {
      // A server that does not do as it was asked can still send all of it.
      ranges = false;
      await response.discard();
      response = await request(context, endpoint, range, 0);
    }
    if (response.status === 206) return bodyOf(response, target.size - offset, doing);
    const wrong = wrongLength(response, target, doing);
    if (wrong !== undefined) {
      await response.discard();
      throw wrong;
    }
    return skip(bodyOf(response, target.size, doing), offset);
  };

  try {
    while (offset < target.size) {
      const pending: Uint8Array[] = [];
      let pendingBytes = 0;
      await retryingOf(context, endpoint)(
        async () => {
          try {
            open ??= await connect();
            while (pendingBytes < progressBytes && offset < target.size) {
              const { done, value } = await open.next();
              if (done === true) throw endedEarly(doing, offset, target.size);
              pending.push(value);
              pendingBytes += value.length;
              offset += value.length;
            }
          } catch (error) {
            await leave(open);
            open = undefined;
            throw error;
          }
        },
        { signal, onRetry },
      );
      yield* pending;
    }
    await readEnd(open);
  } finally {
    await leave(open);
  }
}

/** The end of the answer shows whether there is more than there should be, and frees the connection. That it breaks off here does no harm. */
async function readEnd(open: AsyncIterator<Uint8Array> | undefined): Promise<void> {
  try {
    await open?.next();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
  }
}

/** Unless the iterator failed by itself, its connection must be let go of. */
async function leave(open: AsyncIterator<Uint8Array> | undefined): Promise<void> {
  await open?.return?.();
}

function request(context: RepositoryContext, endpoint: Endpoint, range: BlobRange, offset: number): Promise<HttpResponse> {
  const { target, doing, options } = range;
  return context.caller.call(endpoint, {
    doing,
    method: "GET",
    target: `blobs/${target.digest}`,
    // Compression on the way would change the bytes that the digest is of.
    headers: { "accept-encoding": "identity", ...(offset > 0 && { range: `bytes=${offset}-` }) },
    scopes: pullScope(endpoint),
    expect: offset > 0 ? [200, 206, 416] : [200],
    once: true,
    signal: options.signal,
  });
}

/** Content-Range of a 206 (RFC 9110 §14.4): it must begin where it was asked to and be of a whole of the right size. */
function answersRange(response: HttpResponse, offset: number, size: number): boolean {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.header("content-range")?.trim() ?? "") ?? [];
  return Number(first) === offset && Number(last) < size && (total === "*" || Number(total) === size);
}

/** What is wrong with an answer before its body is looked at. */
function wrongLength(response: HttpResponse, target: Descriptor, doing: string): Error | undefined {
  const encoding = response.header("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "") {
    return new RegistryError("REGISTRY_PROTOCOL", `${doing}: the answer is compressed on the way (${encoding}), which was not asked for`);
  }
  const length = response.header("content-length");
  return length === undefined || Number(length) === target.size ? undefined : new IntegrityError(doing, `${target.size} bytes`, length);
}

async function* bodyOf(response: HttpResponse, limitBytes: number, doing: string): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new IntegrityError(doing, `${limitBytes} bytes`, "more");
    if (chunk.length > 0) yield chunk;
  }
}

async function* skip(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
    left -= Math.min(left, chunk.length);
  }
}

function endedEarly(doing: string, offset: number, size: number): RegistryError {
  return new RegistryError("REGISTRY_UNREACHABLE", `${doing}: the answer ended after ${offset} of ${size} bytes`, { retryable: true });
}
