import type { ByteString } from "../../runtime-addon/index.ts";
import { allowRules, excludeRules, type PathRules } from "./ignore.ts";
import { hasWildcard } from "./pattern.ts";

/** What a COPY leaves out, or keeps, of a source. */
export interface SelectionFlags {
  /** Names keep the directories above them: the path is a pattern of what is taken, from its pivot on. */
  readonly parents: boolean;
  /** Patterns of what is left out. */
  readonly exclude: readonly string[];
}

/** Which files below a source are taken; paths are relative to the source. */
export interface Selection {
  takes(path: ByteString): boolean;
  /** Of a directory: whether it or something below it may be taken, so that it must be walked. */
  mayTakeBelow(directory: ByteString): boolean;
}

/** A source word of COPY --parents. */
export interface PivotedPath {
  /** The directory above the pivot, cleaned; may hold wildcards; "" is the root. */
  readonly base: string;
  /** What is taken below it, with the directories on the way; "" is everything. */
  readonly pattern: string;
  /** Whether it names one path, which must be there. */
  readonly isNamed: boolean;
}

/** Splits at the first "/./". */
export function splitPivot(path: string): PivotedPath {
  const at = `/${path}`.indexOf("/./");
  const base = cleanParts(at < 0 ? "" : path.slice(0, Math.max(0, at - 1)));
  const pattern = cleanParts(at < 0 ? path : path.slice(at + 2));
  return { base, pattern, isNamed: !hasWildcard(base) && !hasWildcard(pattern) };
}

/** The path that a pattern without wildcards means. */
export function unescaped(pattern: ByteString): ByteString {
  return pattern.replace(/\\(.)/gs, "$1") as ByteString;
}

/** What the flags take below a source; undefined is everything. Throws INVALID_PATTERN. */
export function selectionOf(exclude: readonly string[], include = ""): Selection | undefined {
  const rules: PathRules[] = [];
  if (include !== "") rules.push(allowRules(include));
  if (exclude.length > 0) rules.push(excludeRules(exclude));
  if (rules.length === 0) return undefined;
  return {
    takes: (path) => rules.every((rule) => !rule.excludes(path)),
    mayTakeBelow: (directory) => rules.every((rule) => !rule.excludes(directory) || rule.mayReincludeBelow(directory)),
  };
}

function cleanParts(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}
