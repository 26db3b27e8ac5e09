import type { FakeBehaviour } from "./fake-behaviour.ts";
import { fieldsOf, sha256 } from "./fake-content.ts";
import { type Answered, type Exchange, send, sendError } from "./fake-exchange.ts";

/** GET tags/list: end-8a, end-8b (?n=&last=). */
export function answerTags(exchange: Exchange, name: string): Answered {
  const { behaviour, content, seen } = exchange;
  const repository = content.repositories.get(name);
  if (repository === undefined) return sendError(exchange, 404, "NAME_UNKNOWN", "repository name not known to registry");
  const { n, next_page } = seen.query;
  const last = seen.query.last ?? (next_page === undefined ? undefined : Buffer.from(next_page, "base64url").toString());
  const all = [...repository.tags.keys()].sort().filter((tag) => last === undefined || tag > last);
  const size = Math.min(n === undefined ? behaviour.pageSize : Number(n), behaviour.pageSize);
  const tags = all.slice(0, size);
  const body = JSON.stringify({ name, tags: all.length === 0 && behaviour.emptyTags === "null" ? null : tags });
  const lastTag = tags.at(-1);
  const next = size < all.length && lastTag !== undefined ? `/v2/${name}/tags/list?${pageQuery(behaviour, lastTag)}&n=${size}` : undefined;
  return send(exchange, 200, { "content-type": "application/json", ...linkTo(exchange, next) }, body);
}

/** GET referrers/<digest>: end-12a, end-12b (?artifactType=). */
export function answerReferrers(exchange: Exchange, name: string, subject: string): Answered {
  const { behaviour, content, seen } = exchange;
  if (!behaviour.referrers) return refuseReferrers(exchange);
  const { artifactType, skip = "0" } = seen.query;
  const filter = behaviour.filtersReferrers ? artifactType : undefined;
  const all = [...(content.repositories.get(name)?.manifests.values() ?? [])].flatMap((manifest) => {
    const fields = fieldsOf(manifest);
    if (fields.subject?.digest !== subject) return [];
    const type = fields.artifactType ?? fields.config?.mediaType;
    if (filter !== undefined && filter !== type) return [];
    const { annotations } = fields;
    return [
      { mediaType: manifest.mediaType, digest: sha256(manifest.bytes), size: manifest.bytes.length, artifactType: type, annotations },
    ];
  });
  const start = Number(skip);
  const end = start + behaviour.pageSize;
  const path = `/v2/${name}/referrers/${subject}?skip=${end}${artifactType === undefined ? "" : `&artifactType=${encodeURIComponent(artifactType)}`}`;
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: all.slice(start, end),
  });
  const headers = {
    "content-type": "application/vnd.oci.image.index.v1+json",
    ...linkTo(exchange, end < all.length ? path : undefined),
    ...(filter === undefined ? {} : { "oci-filters-applied": "artifactType" }),
  };
  return send(exchange, 200, headers, body);
}

function pageQuery({ pageToken }: Readonly<FakeBehaviour>, last: string): string {
  return pageToken === "last" ? `last=${encodeURIComponent(last)}` : `next_page=${Buffer.from(last).toString("base64url")}`;
}

function refuseReferrers(exchange: Exchange): Answered {
  const { referrersOff } = exchange.behaviour;
  if (referrersOff === "html") return send(exchange, 200, { "content-type": "text/html" }, "<!doctype html><title>Registry</title>");
  return send(exchange, referrersOff, { "content-type": "text/plain; charset=utf-8" }, "no such page\n");
}

function linkTo(exchange: Exchange, path: string | undefined): Record<string, string> {
  if (path === undefined) return {};
  switch (exchange.behaviour.linkForm) {
    case "relative":
      return { link: `<${path}>; rel="next"` };
    case "absolute":
      return { link: `<${exchange.origin}${path}>; rel="next"` };
    default:
      // A reference relative to the list itself: RFC 8288 allows it.
      return { link: `<${path.slice(path.lastIndexOf("/") + 1)}>; rel=next` };
  }
}
