import { digestOf } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { isConfigType } from "../oci-parse.ts";
import type { BlobPlace } from "./blob-places.ts";
import type { Document } from "./convert.ts";
import type { Repository, UploadContent } from "./repository.ts";
import type { TransferSink } from "./transfer-event.ts";
import { reportTransfer, type TransferReport } from "./transfer-report.ts";

export interface PushingOptions extends Abortable {
  readonly onEvent?: TransferSink | undefined;
}

export interface BlobPushOptions extends PushingOptions {
  /** Repositories that may have it, likeliest first; those of other registries are passed over. */
  readonly mountFrom?: readonly BlobPlace[];
  /** What the sink hears that it is. Absent: as its media type says. */
  readonly what?: "config" | "layer";
}

/** Makes sure that a repository has a blob, and tells of it. `contentFor` is called with the report once. */
export async function pushBlob(
  repository: Repository,
  blob: Descriptor,
  contentFor: (report: TransferReport) => UploadContent,
  { mountFrom = [], what = isConfigType(blob.mediaType) ? "config" : "layer", signal, onEvent }: BlobPushOptions = {},
): Promise<void> {
  const report = reportTransfer(onEvent, "push", what, blob, repository);
  const names = mountFrom.flatMap((place) => (place.registry === repository.registry ? place.repository : []));
  try {
    const came = await repository.upload(blob, contentFor(report), {
      mountFrom: [...new Set(names)],
      onProgress: report.progress,
      onRetry: report.retry,
      signal,
    });
    report.end(came === "uploaded" ? "done" : came);
  } catch (error) {
    report.failed(error);
    throw error;
  }
}

/** The same for a config, which is in memory. Answers what a manifest lists. */
export async function pushConfig(
  repository: Repository,
  mediaType: string,
  bytes: Uint8Array,
  { signal, onEvent }: PushingOptions = {},
): Promise<Descriptor> {
  const blob = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const content: UploadContent = {
    async *open(offset) {
      yield bytes.subarray(offset);
    },
  };
  await pushBlob(repository, blob, () => content, { what: "config", signal, onEvent });
  return blob;
}

/** Puts a manifest under its tags, all that it names being there already. True in `subject` as Repository.putManifest says it. */
export async function pushManifest(
  repository: Repository,
  { mediaType, bytes }: Document,
  tags: readonly string[],
  { signal, onEvent }: PushingOptions,
): Promise<{ readonly descriptor: Descriptor; readonly subject: boolean }> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const report = reportTransfer(onEvent, "push", "manifest", descriptor, repository);
  try {
    const { subject } = await repository.putManifest(mediaType, bytes, tags, { signal });
    report.end("done");
    return { descriptor, subject };
  } catch (error) {
    report.failed(error);
    throw error;
  }
}
