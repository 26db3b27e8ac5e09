import { type Answered, type Exchange, send, sendError } from "./fake-exchange.ts";

/** GET, HEAD (end-2) and DELETE (end-10) of a blob. */
export function answerBlob(exchange: Exchange, repository: string, digest: string): Answered {
  const { behaviour, content, seen } = exchange;
  const blobs = content.repositories.get(repository)?.blobs;
  const blob = blobs?.get(digest);
  if (blob === undefined) return sendError(exchange, 404, "BLOB_UNKNOWN", "blob unknown to registry");
  switch (seen.method) {
    case "DELETE":
      if (!behaviour.deletes) return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
      blobs?.delete(digest);
      return send(exchange, 202);
    case "GET":
      if (behaviour.redirectBlobs !== undefined) {
        const location = `${exchange.storageOrigin}/${repository}/${digest}?signature=secret`;
        return send(exchange, behaviour.redirectBlobs, { location }, "<html>moved</html>");
      }
      return sendBytes(exchange, blob, { "docker-content-digest": digest });
    case "HEAD":
      return send(
        exchange,
        200,
        {
          "content-type": "application/octet-stream",
          ...(behaviour.headDigest ? { "docker-content-digest": digest } : {}),
          "content-length": behaviour.headLength ? blob.length : undefined,
        },
        blob,
      );
    default:
      return sendError(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
  }
}

/** What the storage behind a registry answers; like S3 and Azure it refuses a second way to authorise. */
export function answerStorage(exchange: Exchange): Answered {
  if (exchange.request.headers.authorization !== undefined) {
    const body = "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>";
    return send(exchange, 400, { "content-type": "application/xml" }, body);
  }
  const [, repository = "", digest = ""] = /^\/(.+)\/([^/]+)$/.exec(decodeURIComponent(exchange.url.pathname)) ?? [];
  const blob = exchange.content.repositories.get(repository)?.blobs.get(digest);
  if (blob === undefined || exchange.seen.query.signature !== "secret") return send(exchange, 403, {}, "<Error/>");
  return sendBytes(exchange, blob, {});
}

/** The blob, or the range of it that is asked for (RFC 9110, 14). */
function sendBytes(exchange: Exchange, blob: Buffer, more: Record<string, string>): Answered {
  const headers = { "content-type": "application/octet-stream", ...more };
  const asked = exchange.request.headers.range;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(asked ?? "") ?? [];
  if (!exchange.behaviour.ranges || first === undefined) return send(exchange, 200, headers, blob);
  const start = Number(first);
  const end = last === undefined || last === "" ? blob.length - 1 : Math.min(Number(last), blob.length - 1);
  if (start >= blob.length || end < start) return send(exchange, 416, { "content-range": `bytes */${blob.length}` });
  const range = { "content-range": `bytes ${start}-${end}/${blob.length}` };
  return send(exchange, 206, { ...headers, ...range }, blob.subarray(start, end + 1));
}
