import type { LoggedRequest } from "./debian-registry.ts";

/**
 * Requests as "GET app/blobs/LAYER 200". Digests that `names` has are called so; all uploads look the same, and of queries only
 * mounts are shown.
 */
export function requestLines(requests: readonly LoggedRequest[], names: Readonly<Record<string, string>> = {}): string[] {
  return requests.map(({ method, path, status }) => {
    const url = new URL(path, "http://registry.test");
    const place = url.pathname.replace(/^\/v2\//, "").replace(/\/blobs\/uploads\/.*/, "/uploads");
    const from = url.searchParams.get("from");
    const mount = from === null ? "" : ` of ${url.searchParams.get("mount")} from ${from}`;
    const line = `${method} ${place}${mount} ${status}`;
    return line.replace(/sha256:[0-9a-f]{64}/g, (digest) => names[digest] ?? digest);
  });
}

/** Those that carry bytes of blobs: downloads of them and uploads. */
export function transfers(requests: readonly LoggedRequest[], names: Readonly<Record<string, string>> = {}): string[] {
  const moved = requests.filter(({ method, path }) => {
    if (method === "GET") return /\/blobs\/sha256:/.test(path);
    return (method === "PUT" || method === "PATCH") && path.includes("/blobs/uploads/");
  });
  return requestLines(moved, names).sort();
}

/** Blobs that came from another repository of the registry. */
export function mounts(requests: readonly LoggedRequest[], names: Readonly<Record<string, string>> = {}): string[] {
  return requestLines(requests, names)
    .filter((line) => line.endsWith(" 201") && line.includes("/uploads of "))
    .sort();
}
