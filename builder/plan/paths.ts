import { posix } from "node:path";
import type { StageState } from "./stage-state.ts";

/** Joins a path to the working directory, cleaned, without a trailing slash; "" is the directory itself. */
export function absolute(path: string, state: StageState): string {
  return posix.resolve("/", state.config.WorkingDir ?? "/", path);
}

/** Sources are cleaned to the origin's root: "/x", "./x/" and "../x" all mean "x" (COPY rules of the Dockerfile reference). */
export function cleanSource(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/+|\/+$/g, "");
}

/** The source as it is written, where its ".." would lead above the root: cleaning hides that, and errors say it. */
export function climbing(path: string): { readonly written?: string } {
  return /^\.\.(?:\/|$)/.test(posix.normalize(path.replace(/^\/+/, ""))) ? { written: path } : {};
}

/** As cleanSource, for --parents: both sides of the first "/./", the pivot, are cleaned, and it stays between them where something stands before it. */
export function cleanPivoted(path: string): string {
  const pivot = path.indexOf("/./");
  if (pivot < 0) return cleanSource(path);
  const parent = cleanSource(path.slice(0, pivot));
  const rest = cleanSource(path.slice(pivot + 3));
  return parent === "" ? rest : `${parent}/./${rest}`;
}
