import { digestOf } from "../digest.ts";
import { IntegrityError, TsbuildError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import { verified } from "../verified.ts";
import { blobReader } from "./blob-reader.ts";
import { blobText } from "./blob-text.ts";
import type { Endpoint } from "./endpoint.ts";
import { isMirrorFailure, type MirrorFailure, noteMirrorFailure, serversToAsk, withMirrorFailures } from "./mirrors.ts";
import { progressMeter } from "./progress-meter.ts";
import type { DownloadOptions } from "./repository.ts";
import { fullRepository, type RepositoryContext } from "./repository-context.ts";

/**
 * As Repository.download: end-2, with Range after a break. Holds one of the places of the server that is asked from the first byte asked for until the
 * iteration ends, so whoever reads it must not wait for another download of the same repository meanwhile.
 */
export async function* downloadBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: DownloadOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const doing = `pulling ${blobText(target)} from ${fullRepository(context)}`;
  const { maxLayerBytes } = context.settings;
  if (target.size > maxLayerBytes) {
    throw new TsbuildError("TOO_LARGE", `${doing}: ${target.size} bytes are more than the ${maxLayerBytes} allowed`, {
      hint: "the limit is max_layer_mib under [registry] in tsbuild.toml",
    });
  }
  if (target.size === 0) return checkEmpty(target, doing);
  const meter = progressMeter(options.onProgress);
  const used: Endpoint[] = [];
  let doneBytes = 0;
  try {
    for await (const chunk of verified(fromServers(context, target, doing, options, used), target, doing)) {
      doneBytes += chunk.length;
      meter.at(doneBytes);
      yield chunk;
    }
    meter.end(doneBytes);
  } catch (error) {
    throw error instanceof IntegrityError ? blameMirrors(context, error, doing, used) : error;
  }
}

function checkEmpty({ digest }: Descriptor, doing: string): void {
  const empty = digestOf("");
  if (digest !== empty) throw new IntegrityError(doing, digest, empty);
}

/** A mirror that sent wrong bytes is not asked again, so that a repeated download comes from elsewhere. */
function blameMirrors(context: RepositoryContext, error: IntegrityError, doing: string, used: readonly Endpoint[]): IntegrityError {
  const mirrors = used.filter(({ mirrorOf }) => mirrorOf !== undefined);
  if (mirrors.length === 0) return error;
  for (const endpoint of mirrors) noteMirrorFailure(context, { endpoint, error });
  const hint = `the bytes came from ${used.map(({ registry }) => registry).join(", ")}`;
  return new IntegrityError(doing, error.expected, error.actual, { hint, cause: error });
}

/** The blob's bytes from one server after another, each going on where the last one stopped. */
async function* fromServers(
  context: RepositoryContext,
  target: Descriptor,
  doing: string,
  options: DownloadOptions,
  used: Endpoint[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const failures: MirrorFailure[] = [];
  let offset = 0;
  for (const endpoint of serversToAsk(context)) {
    const leave = await context.slotsOf(endpoint).download.take(options);
    try {
      // Those before us may have found out what it is worth.
      if (!serversToAsk(context).includes(endpoint)) continue;
      for await (const chunk of blobReader(context, endpoint, { target, offset, doing, options })) {
        if (used.at(-1) !== endpoint) used.push(endpoint);
        // Counted before it is handed on: what the reader of this iteration does with it is not this server's failure.
        offset += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!isMirrorFailure(endpoint, error, options)) throw withMirrorFailures(error, failures);
      noteMirrorFailure(context, { endpoint, error });
      failures.push({ endpoint, error });
      options.onRetry?.(`the mirror ${endpoint.registry} failed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      leave();
    }
  }
}
