import { IntegrityError } from "../errors.ts";
import { blobExists } from "./blob-exists.ts";
import { progressBytes } from "./pace.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryContext } from "./repository-context.ts";
import type { Try } from "./retry.ts";
import { firstForm, formAfter, formAfterLoss, type UploadForm } from "./upload-form.ts";
import type { UploadJob } from "./upload-job.ts";
import { askSession, cancelSession, closeSession, openSession, sendChunk, type UploadSession } from "./upload-session.ts";

/** What later tries must know of earlier ones; each request changes it. */
interface Progress {
  session: UploadSession | undefined;
  /** A request was sent whose outcome is unknown. */
  unsure: boolean;
  /** It was not answered at all. */
  broken: boolean;
  /** The closing PUT was among them: the blob may be there. */
  closing: boolean;
  /** More than one request's bytes are in the session. */
  pieced: boolean;
  /** The most that any session held. */
  furthest: number;
  form: UploadForm;
  readonly tried: Set<UploadForm["kind"]>;
  /** Times that something was done over although nothing broke. */
  repeats: number;
}

/** How often a registry may lose an upload, or not follow its own answers, before it is given up. */
const maxRepeats = 3;

/**
 * Sends a blob's bytes, in `opened` if there is such a session already. After a break it asks where the upload stands and goes on from there. An upload that fails
 * or is cancelled is cleared away.
 */
export async function transferBlob(
  context: RepositoryContext,
  job: UploadJob,
  opened: UploadSession | undefined,
  onRetry?: (message: string) => void,
): Promise<void> {
  const form = firstForm(job.target.size);
  const progress: Progress = {
    session: opened,
    unsure: false,
    broken: false,
    closing: false,
    pieced: false,
    furthest: 0,
    form,
    tried: new Set([form.kind]),
    repeats: 0,
  };
  try {
    await context.retrying((attempt) => tryTransfer(context, job, progress, attempt), { signal: job.signal, onRetry });
  } catch (error) {
    if (progress.session !== undefined) await cancelSession(context, job, progress.session);
    throw error;
  }
}

async function tryTransfer(context: RepositoryContext, job: UploadJob, progress: Progress, attempt: Try): Promise<void> {
  if (progress.unsure && (await settle(context, job, progress))) return;
  for (;;) {
    try {
      noteProgress(job, progress, attempt);
      progress.session ??= await openSession(context, job);
      if (await step(context, job, progress)) return;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      progress.broken = error.status === undefined;
      if (error.retryable) throw error;
      await afterRefusal(context, job, progress, error);
    }
  }
}

/** Finds out what came of a request whose answer was lost. True when the blob is there. */
async function settle(context: RepositoryContext, job: UploadJob, progress: Progress): Promise<boolean> {
  if (progress.closing && (await blobExists(context, job.target, { signal: job.signal, once: true }))) return true;
  const { session } = progress;
  const asked = session === undefined || progress.form.kind === "put" ? undefined : await askSession(context, job, session);
  if (asked !== undefined) adopt(progress, asked);
  else if (progress.broken) await beginAgain(context, job, progress, formAfterLoss(progress.form, progress.tried, job.target.size));
  else await restart(context, job, progress);
  return false;
}

/** One request. True when it was the last. */
async function step(context: RepositoryContext, job: UploadJob, progress: Progress): Promise<boolean> {
  const { session, form } = progress;
  const { size } = job.target;
  if (session === undefined) return false;
  progress.unsure = true;
  if (form.kind === "put" || session.offset === size) {
    progress.closing = true;
    await closeSession(context, job, session);
    progress.session = undefined;
    return true;
  }
  const end = form.kind === "chunks" ? Math.min(size, session.offset + Math.max(form.chunkBytes, session.minChunkBytes)) : size;
  const next = await sendChunk(context, job, session, { end, form });
  if (next.offset <= session.offset) throw stuck(job, session.offset);
  adopt(progress, next);
  return false;
}

function adopt(progress: Progress, session: UploadSession): void {
  progress.pieced ||= progress.session !== undefined && progress.session.offset > 0;
  progress.session = session;
  progress.unsure = false;
}

/** Decides how it goes on after the registry said no; throws when it does not. */
async function afterRefusal(context: RepositoryContext, job: UploadJob, progress: Progress, refusal: RegistryError): Promise<void> {
  const { session, form } = progress;
  if (session === undefined) throw refusal;
  const spent = progress.repeats >= maxRepeats;
  const closing = form.kind === "put" || session.offset === job.target.size;
  const wrongDigest = closing && isWrongDigest(refusal);
  // Bytes that were sent twice, or lost between two requests, look like that too.
  if (wrongDigest && (spent || !progress.pieced)) {
    throw new IntegrityError(job.doing, job.target.digest, "other content, says the registry", { cause: refusal });
  }
  if (spent) throw refusal;
  if (form.kind === "chunks" && form.reason === "line") {
    // Whatever it is about, the registry did not say it of a stream.
    return changeForm(context, job, progress, refusal);
  }
  if (wrongDigest) return repeat(context, job, progress);
  if (refusal.status === 416) {
    const asked = await askSession(context, job, session);
    return repeat(context, job, progress, asked?.offset === session.offset ? undefined : asked);
  }
  if (session.offset === 0 || refusal.status === 413) return changeForm(context, job, progress, refusal);
  if (refusal.status !== 404 && refusal.status !== 400) throw refusal;
  return repeat(context, job, progress);
}

/** Goes on in another form; throws the refusal when there is none left. */
async function changeForm(context: RepositoryContext, job: UploadJob, progress: Progress, refusal: RegistryError): Promise<void> {
  const { form, tried, session } = progress;
  const other = formAfter(refusal, form, tried, job.target.size - (session?.offset ?? 0));
  if (other === undefined) throw refusal;
  if (refusal.status !== 413) return beginAgain(context, job, progress, other);
  // A body that was too long never reached the registry: the session is as it was.
  progress.form = other;
  tried.add(other.kind);
  progress.unsure = false;
}

/** Goes on in the session, as the registry says it is, or begins a new one. */
async function repeat(context: RepositoryContext, job: UploadJob, progress: Progress, session?: UploadSession): Promise<void> {
  progress.repeats += 1;
  if (session === undefined) await restart(context, job, progress);
  else adopt(progress, session);
}

async function beginAgain(context: RepositoryContext, job: UploadJob, progress: Progress, form: UploadForm): Promise<void> {
  progress.form = form;
  progress.tried.add(form.kind);
  await restart(context, job, progress);
}

/** The next session begins with nothing. */
async function restart(context: RepositoryContext, job: UploadJob, progress: Progress): Promise<void> {
  if (progress.session !== undefined) await cancelSession(context, job, progress.session);
  progress.session = undefined;
  progress.unsure = false;
  progress.pieced = false;
}

/** Counts what a session holds beyond all that any held before, so that uploads which begin again and again end. */
function noteProgress({ target }: UploadJob, progress: Progress, attempt: Try): void {
  const offset = progress.session?.offset ?? 0;
  if (offset < progress.furthest + Math.min(progressBytes, target.size - progress.furthest) || offset === progress.furthest) return;
  progress.furthest = offset;
  attempt.progressed();
}

/** The registry's words for bytes that do not hash to what they should (distribution spec, "Error Codes"). */
function isWrongDigest({ diagnostics }: RegistryError): boolean {
  return diagnostics.some(({ code }) => code === "DIGEST_INVALID" || code === "SIZE_INVALID");
}

function stuck({ doing }: UploadJob, offset: number): RegistryError {
  return new RegistryError("REGISTRY_PROTOCOL", `${doing}: the registry keeps no more than ${offset} bytes of what it is sent`);
}
