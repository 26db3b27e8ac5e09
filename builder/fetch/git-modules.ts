/** An entry of .gitmodules that is to be checked out. */
export interface Submodule {
  readonly name: string;
  /** As written; cleaned by nobody. */
  readonly path: string;
  readonly url: string;
}

/** The pattern that `git config --get-regexp` is asked for. */
export const submoduleKeys = "^submodule\\..*\\.(path|url|update)$";

/** From `git config -z --get-regexp` on .gitmodules: "key\nvalue\0". Those without URL, without a path that a tree can have, or with `update = none` are left out. */
export function parseSubmodules(listing: string): readonly Submodule[] {
  const found = new Map<string, Map<string, string>>();
  for (const pair of listing.split("\0")) {
    const [, name, key] = /^submodule\.([^\n]*)\.(path|url|update)\n/.exec(pair) ?? [];
    if (name === undefined || key === undefined) continue;
    const values = found.get(name) ?? new Map<string, string>();
    // The last of several counts.
    values.set(key, pair.slice(pair.indexOf("\n") + 1));
    found.set(name, values);
  }
  return [...found].flatMap(([name, values]) => {
    const path = values.get("path")?.replace(/\/+$/, "");
    const url = values.get("url");
    return path === undefined || !isTreePath(path) || url === undefined || values.get("update") === "none" ? [] : [{ name, path, url }];
  });
}

function isTreePath(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The URL of a submodule; one that begins with "./" or "../" is relative to the repository that names it (gitmodules(5)). Undefined where that leads out of its host. */
export function submoduleUrl(parent: string, url: string): string | undefined {
  if (!/^\.\.?\//.test(url)) return url;
  const [root] = /^(?:[a-z]+:\/\/[^/]+\/|[^/:]+:\/?)/i.exec(parent) ?? [];
  if (root === undefined) return undefined;
  const path = parent
    .slice(root.length)
    .split("/")
    .filter((part) => part !== "");
  for (const part of url.split("/")) {
    if (part === ".." && path.pop() === undefined) return undefined;
    if (part !== ".." && part !== "." && part !== "") path.push(part);
  }
  return `${root}${path.join("/")}`;
}
