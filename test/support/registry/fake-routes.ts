/** What a request to a registry is about; endpoint ids are those of the distribution spec v1.1, "Endpoints". */
export type Route =
  | { readonly kind: "ping" }
  | { readonly kind: "token" }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: string }
  /** Where uploads begin, and blobs are mounted. */
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: string }
  | { readonly kind: "other" };

export type RouteKind = Route["kind"];

export function routeOf(path: string): Route {
  if (path === "/v2/" || path === "/v2") return { kind: "ping" };
  if (path === "/token") return { kind: "token" };
  const [, repository, resource, rest] = /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/(.*)$/.exec(path) ?? [];
  if (repository === undefined || rest === undefined) return { kind: "other" };
  switch (resource) {
    case "manifests":
      return { kind: "manifest", repository, reference: decodeURIComponent(rest) };
    case "blobs":
      return { kind: "blob", repository, digest: decodeURIComponent(rest) };
    case "blobs/uploads":
      return rest === "" ? { kind: "uploads", repository } : { kind: "upload", repository, id: rest };
    case "tags":
      return rest === "list" ? { kind: "tags", repository } : { kind: "other" };
    default:
      return { kind: "referrers", repository, digest: decodeURIComponent(rest) };
  }
}

/** What a request needs leave for. */
export function actionOf(method: string): "pull" | "push" | "delete" {
  if (method === "GET" || method === "HEAD") return "pull";
  return method === "DELETE" ? "delete" : "push";
}
