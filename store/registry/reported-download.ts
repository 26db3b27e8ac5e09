import type { Descriptor } from "../oci.ts";
import { isConfigType } from "../oci-parse.ts";
import type { BlobOrigin } from "./blob-content.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportTransfer } from "./transfer-report.ts";

/** A blob's bytes from where it is; of one that comes from a registry the sink hears. */
export async function* reportedDownload(
  origin: BlobOrigin,
  blob: Descriptor,
  { signal, onEvent }: PushingOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (origin.registry === "") return yield* origin.download(blob, { signal });
  const report = reportTransfer(onEvent, "pull", isConfigType(blob.mediaType) ? "config" : "layer", blob, origin);
  let failure: unknown;
  let whole = false;
  try {
    yield* origin.download(blob, { signal, onProgress: report.progress, onRetry: report.retry });
    whole = true;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // Also where the reader leaves early.
    if (whole) report.end("done");
    else report.failed(failure);
  }
}
