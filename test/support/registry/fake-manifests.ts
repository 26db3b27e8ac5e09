import type { FakeManifest } from "./fake-content.ts";
import { digestLike, fieldsOf, type ManifestFields, missingIn, sha256 } from "./fake-content.ts";
import { type Answered, type Exchange, readBody, send, sendError } from "./fake-exchange.ts";

/** GET, HEAD (end-3), PUT (end-7) and DELETE (end-9) of a manifest. */
export async function answerManifest(exchange: Exchange, name: string, reference: string): Promise<Answered> {
  const { behaviour, content, seen } = exchange;
  if (seen.method === "PUT") return putManifest(exchange, name, reference);
  const digest = content.find(name, reference) ?? (behaviour.dashedDigests ? content.find(name, reference.replace("-", ":")) : undefined);
  const manifest = digest === undefined ? undefined : content.repositories.get(name)?.manifests.get(digest);
  if (digest === undefined || manifest === undefined) {
    const code = content.repositories.has(name) ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN";
    return sendError(exchange, 404, code, code === "NAME_UNKNOWN" ? "repository name not known to registry" : "manifest unknown");
  }
  if (seen.method !== "DELETE" && behaviour.unaccepted !== "sent" && !accepts(exchange, manifest)) {
    return sendUnaccepted(exchange);
  }
  switch (seen.method) {
    case "GET":
      if (exchange.sentManifests() >= behaviour.pullLimit) {
        return sendError(exchange, 429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.");
      }
      return sendManifest(exchange, digest, manifest);
    case "HEAD":
      if (!behaviour.headManifests) return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
      return sendManifest(exchange, digest, manifest);
    case "DELETE":
      if (!behaviour.deletes) return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
      return deleteManifest(exchange, name, reference);
    default:
      return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
  }
}

function sendManifest(exchange: Exchange, digest: string, manifest: FakeManifest): Answered {
  const { behaviour, request } = exchange;
  const head = request.method === "HEAD";
  const type = behaviour.manifestTypeSuffix === undefined ? undefined : `${manifest.mediaType}${behaviour.manifestTypeSuffix}`;
  return send(
    exchange,
    200,
    {
      ...(type === undefined ? {} : { "content-type": type }),
      ...(head && !behaviour.headDigest ? {} : { "docker-content-digest": digest }),
      ...(head && !behaviour.headLength ? { "content-length": undefined } : {}),
    },
    manifest.bytes,
  );
}

function accepts({ request }: Exchange, { mediaType }: FakeManifest): boolean {
  return (request.headers.accept ?? "").split(",").some((type) => type.split(";")[0]?.trim() === mediaType);
}

function sendUnaccepted(exchange: Exchange): Answered {
  if (exchange.behaviour.unaccepted === "404") {
    return sendError(exchange, 404, "MANIFEST_UNKNOWN", "the manifest is there, but the Accept header does not support its type");
  }
  const body = JSON.stringify({ schemaVersion: 1, name: "app", tag: "latest", fsLayers: [], history: [] });
  return send(exchange, 200, { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" }, body);
}

async function putManifest(exchange: Exchange, name: string, reference: string): Promise<Answered> {
  const { behaviour, content } = exchange;
  const bytes = await readBody(exchange);
  if (bytes === undefined) return "gone";
  const mediaType = exchange.request.headers["content-type"] ?? "";
  const fields = parsed(bytes);
  if (behaviour.manifestTypes !== undefined && !behaviour.manifestTypes.includes(mediaType)) {
    return sendError(exchange, 415, "MANIFEST_INVALID", `media type ${mediaType} is not supported`);
  }
  if (fields === undefined || (fields.mediaType !== undefined && fields.mediaType !== mediaType)) {
    return sendError(exchange, 400, "MANIFEST_INVALID", "manifest invalid");
  }
  const repository = content.repository(name);
  const [missing] = missingIn(repository, { mediaType, bytes });
  if (missing !== undefined) return sendError(exchange, 400, "MANIFEST_BLOB_UNKNOWN", `${missing} unknown to registry`);
  if (behaviour.needsMediaType && fields.mediaType === undefined) {
    return sendError(exchange, 400, "MANIFEST_INVALID", "manifest has no media type");
  }
  const byDigest = reference.includes(":");
  if (byDigest && digestLike(reference, bytes) !== reference) {
    return sendError(exchange, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  const digest = byDigest ? reference : sha256(bytes);
  if (!byDigest) {
    const before = repository.tags.get(reference);
    if (before !== undefined && behaviour.immutableTags !== undefined) return refuseMove(exchange, name, reference);
    repository.tags.set(reference, digest);
  }
  repository.manifests.set(digest, { mediaType, bytes });
  return send(exchange, 201, {
    location: `/v2/${name}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(behaviour.referrers && fields.subject !== undefined ? { "oci-subject": fields.subject.digest } : {}),
  });
}

function refuseMove(exchange: Exchange, name: string, tag: string): Answered {
  if (exchange.behaviour.immutableTags === "harbor") {
    return sendError(exchange, 412, "PRECONDITION", `Failed to process request due to '${tag}' configured as immutable.`);
  }
  const message = `The image tag '${tag}' already exists in the '${name}' repository and cannot be overwritten because the repository is immutable.`;
  return sendError(exchange, 400, "TAG_INVALID", message);
}

function deleteManifest(exchange: Exchange, name: string, reference: string): Answered {
  const { content } = exchange;
  const repository = content.repository(name);
  if (reference.includes(":")) {
    repository.manifests.delete(reference);
    for (const [tag, digest] of repository.tags) if (digest === reference) repository.tags.delete(tag);
  } else {
    repository.tags.delete(reference);
  }
  return send(exchange, 202);
}

function parsed(bytes: Buffer): ManifestFields | undefined {
  try {
    return fieldsOf({ mediaType: "", bytes });
  } catch {
    return undefined;
  }
}
