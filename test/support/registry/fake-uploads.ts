import { digestLike, type FakeUpload } from "./fake-content.ts";
import { type Answered, type Exchange, readBody, send, sendError } from "./fake-exchange.ts";

/** POST blobs/uploads/: end-4a, end-4b (?digest=) and end-11 (?mount=&from=). */
export async function startUpload(exchange: Exchange, repository: string): Promise<Answered> {
  const { behaviour, content, seen } = exchange;
  const { mount, from, digest } = seen.query;
  if (!behaviour.createsRepositories && !content.repositories.has(repository)) {
    return sendError(exchange, 404, "NAME_UNKNOWN", `The repository with name '${repository}' does not exist in the registry`);
  }
  if (mount !== undefined && behaviour.mount === "denied") {
    return sendError(exchange, 403, "DENIED", "requested access to the resource is denied");
  }
  const blob = from === undefined ? undefined : content.repositories.get(from)?.blobs.get(mount ?? "");
  if (mount !== undefined && blob !== undefined && behaviour.mount === "allowed") {
    content.repository(repository).blobs.set(mount, blob);
    return sendCreated(exchange, repository, mount);
  }
  const upload = content.startUpload(repository);
  if (digest !== undefined && behaviour.singlePost) {
    const appended = await append(exchange, upload);
    return appended === "whole" ? finish(exchange, upload, digest) : appended;
  }
  if ((await readBody(exchange)) === undefined) return "gone";
  return send(exchange, 202, uploadHeaders(exchange, upload));
}

/** Requests to an upload's Location: PATCH (end-5), PUT (end-6), GET (end-13), DELETE. */
export async function continueUpload(exchange: Exchange, repository: string, id: string): Promise<Answered> {
  const { behaviour, content, seen } = exchange;
  const upload = content.uploads.get(id);
  if (upload === undefined || upload.repository !== repository) {
    return sendError(exchange, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  }
  if (seen.query.state !== stateOf(upload)) {
    return sendError(exchange, 400, "BLOB_UPLOAD_INVALID", "the query of the upload's location is missing");
  }
  switch (seen.method) {
    case "GET":
      if (!behaviour.uploadStatus) return sendError(exchange, 404, "UNSUPPORTED", "no upload status here");
      return send(exchange, 204, uploadHeaders(exchange, upload));
    case "DELETE":
      content.uploads.delete(id);
      return send(exchange, 204);
    case "PATCH":
      if (behaviour.patch === "refused") return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
      return patchUpload(exchange, upload);
    case "PUT": {
      const { digest } = seen.query;
      if (digest === undefined) return sendError(exchange, 400, "DIGEST_INVALID", "digest is missing");
      if (!behaviour.putBodies && exchange.request.headers["content-length"] !== "0") {
        return sendError(exchange, 400, "BLOB_UPLOAD_INVALID", "bytes are sent by PATCH");
      }
      const appended = await append(exchange, upload);
      return appended === "whole" ? finish(exchange, upload, digest) : appended;
    }
    default:
      return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
  }
}

async function patchUpload(exchange: Exchange, upload: FakeUpload): Promise<Answered> {
  const appended = await append(exchange, upload);
  return appended === "whole" ? send(exchange, 202, uploadHeaders(exchange, upload)) : appended;
}

/** Adds the request's body to what has come; anything but "whole" is answered already. */
async function append(exchange: Exchange, upload: FakeUpload): Promise<"whole" | Answered> {
  const { behaviour, request, seen } = exchange;
  const length = request.headers["content-length"] === undefined ? undefined : Number(request.headers["content-length"]);
  const refuse = (status: number, code: string, message: string) =>
    sendError(exchange, status, code, message, uploadHeaders(exchange, upload));
  if (length !== undefined && length > behaviour.maxBodyBytes) {
    return send(exchange, 413, { "content-type": "text/html", connection: "close" }, "<html><h1>413 Request Entity Too Large</h1></html>");
  }
  const range = request.headers["content-range"];
  if (range !== undefined) {
    if (length !== undefined && length > behaviour.maxRangedBytes) {
      return refuse(416, "REQUESTED_RANGE_NOT_SATISFIABLE", "the request body is too large");
    }
    const [, start, end] = /^(\d+)-(\d+)$/.exec(range) ?? [];
    if (start === undefined || end === undefined) return refuse(400, "BLOB_UPLOAD_INVALID", `content-range "${range}" is malformed`);
    if (Number(start) !== upload.size) return refuse(416, "BLOB_UPLOAD_INVALID", `chunk begins at ${start}, not at ${upload.size}`);
    if (length !== undefined && Number(end) - Number(start) + 1 !== length) {
      return refuse(400, "SIZE_INVALID", `content-range "${range}" and content-length ${length} differ`);
    }
  }
  const min = behaviour.minChunkBytes ?? 0;
  if (length !== 0 && upload.lastChunk < min) {
    return refuse(400, "SIZE_INVALID", `the chunk before had ${upload.lastChunk} bytes, fewer than ${min}`);
  }
  const before = upload.size;
  const held: Buffer[] = [];
  const body = await readBody(exchange, (chunk) => {
    held.push(chunk);
    if (behaviour.keepsBrokenChunks) keep(upload, chunk);
  });
  if (body === undefined) {
    seen.status = 499;
    if (behaviour.losesBrokenUploads) exchange.content.uploads.delete(upload.id);
    return "gone";
  }
  if (!behaviour.keepsBrokenChunks) for (const chunk of held) keep(upload, chunk);
  if (upload.size > before) upload.lastChunk = upload.size - before;
  upload.firstChunk ??= upload.size;
  return "whole";
}

function keep(upload: FakeUpload, chunk: Buffer): void {
  upload.chunks.push(chunk);
  upload.size += chunk.length;
}

/** Like the real ones, a registry forgets an upload whose digest is wrong. */
function finish(exchange: Exchange, upload: FakeUpload, digest: string): Answered {
  const bytes = Buffer.concat(upload.chunks);
  exchange.content.uploads.delete(upload.id);
  if (digestLike(digest, bytes) !== digest) {
    return sendError(exchange, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  exchange.content.repository(upload.repository).blobs.set(digest, bytes);
  return sendCreated(exchange, upload.repository, digest);
}

function sendCreated(exchange: Exchange, repository: string, digest: string): Answered {
  return send(exchange, 201, { location: located(exchange, `/v2/${repository}/blobs/${digest}`), "docker-content-digest": digest });
}

function uploadHeaders(exchange: Exchange, upload: FakeUpload): Record<string, string> {
  const { behaviour } = exchange;
  return {
    location: located(exchange, `/v2/${upload.repository}/blobs/uploads/${upload.id}?state=${stateOf(upload)}`),
    "docker-upload-uuid": upload.id,
    ...(behaviour.uploadRange === "absent" ? {} : { range: rangeOf(exchange, upload) }),
    ...(behaviour.minChunkBytes === undefined ? {} : { "oci-chunk-min-length": String(behaviour.minChunkBytes) }),
  };
}

/** What the upload holds. Nothing at all is "0-0", as docker-registry says it. */
function rangeOf({ behaviour, seen }: Exchange, upload: FakeUpload): string {
  const last = (size: number) => Math.max(0, size - 1);
  switch (behaviour.uploadRange) {
    case "bytes":
      return `bytes=0-${last(upload.size)}`;
    case "inclusive":
      return `0-${upload.size}`;
    case "stuck":
      return `0-${last(seen.method === "PATCH" ? (upload.firstChunk ?? upload.size) : upload.size)}`;
    default:
      return `0-${last(upload.size)}`;
  }
}

/** Whoever drops the query of a Location is found out. */
function stateOf(upload: FakeUpload): string {
  return upload.id.slice(0, 8);
}

function located(exchange: Exchange, path: string): string {
  switch (exchange.behaviour.locations) {
    case "relative":
      return path;
    case "absolute":
      return `${exchange.origin}${path}`;
    default:
      return `${exchange.origin.replace(/^https:/, "http:")}${path}`;
  }
}
