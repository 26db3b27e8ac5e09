import type { Descriptor } from "../oci.ts";
import { blobExists } from "./blob-exists.ts";
import { blobText } from "./blob-text.ts";
import { progressMeter } from "./progress-meter.ts";
import type { UploadContent, UploadOptions } from "./repository.ts";
import { fullRepository, type RepositoryContext } from "./repository-context.ts";
import type { UploadJob } from "./upload-job.ts";
import { mountBlob, type UploadSession } from "./upload-session.ts";
import { transferBlob } from "./upload-transfer.ts";

/** More places than these would cost more requests than they save. */
const maxMounts = 3;

/** As Repository.upload. Holds one of the server's places for uploads from beginning to end. */
export async function uploadBlob(
  context: RepositoryContext,
  target: Descriptor,
  content: UploadContent,
  options: UploadOptions = {},
): Promise<"present" | "mounted" | "uploaded"> {
  const { signal, mountFrom = [], onProgress, onRetry } = options;
  const doing = `pushing ${blobText(target)} to ${fullRepository(context)}`;
  const job: UploadJob = { target, content, doing, meter: progressMeter(onProgress), signal };
  const leave = await context.slotsOf(context.endpoints.writing).upload.take({ signal });
  try {
    if (await blobExists(context, target, { signal })) return "present";
    const mounted = await mountFromAny(context, job, mountFrom);
    if (mounted === "mounted") return "mounted";
    await transferBlob(context, job, mounted, onRetry);
    job.meter.end(target.size);
    return "uploaded";
  } finally {
    leave();
  }
}

/** A session that a registry opened instead of mounting is used for the upload: it means that mounts do not work there, or not of this blob. */
async function mountFromAny(
  context: RepositoryContext,
  job: UploadJob,
  repositories: readonly string[],
): Promise<"mounted" | UploadSession | undefined> {
  const own = context.endpoints.writing.repository;
  for (const from of repositories.filter((name) => name !== own).slice(0, maxMounts)) {
    const answer = await mountBlob(context, job, from);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
