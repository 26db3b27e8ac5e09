import { blobExists } from "./blob-exists.ts";
import { downloadBlob } from "./download.ts";
import { deleteManifest, manifestFrom, putManifest, readManifest, resolveManifest } from "./manifests.ts";
import { listReferrers } from "./referrers.ts";
import type { Repository } from "./repository.ts";
import type { RepositoryContext } from "./repository-context.ts";
import { listTags } from "./tags.ts";
import { uploadBlob } from "./upload.ts";

/** Opens nothing: the context's connections and tokens are shared, and belong to the registry. */
export function openRepository(context: RepositoryContext): Repository {
  return {
    registry: context.endpoints.writing.registry,
    name: context.endpoints.writing.repository,
    manifest: (reference, { mirrors = true, ...options } = {}) =>
      mirrors ? readManifest(context, reference, options) : manifestFrom(context, context.endpoints.writing, reference, options),
    resolve: (reference, options) => resolveManifest(context, reference, options),
    putManifest: (mediaType, bytes, tags, options) => putManifest(context, mediaType, bytes, tags, options),
    deleteManifest: (digest, options) => deleteManifest(context, digest, options),
    hasBlob: (target, options) => blobExists(context, target, { signal: options?.signal }),
    download: (target, options) => downloadBlob(context, target, options),
    upload: (target, content, options) => uploadBlob(context, target, content, options),
    tags: (options) => listTags(context, options),
    referrers: (subject, options) => listReferrers(context, subject, options),
  };
}
