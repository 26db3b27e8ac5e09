/**
 * Whether an ignore file of these lines excludes a path, worked out the slow way from the documented rules (Docker's reference, ".dockerignore
 * files"; Go's filepath.Match; moby/patternmatcher for `**`): every pattern is tried, in every way it can match, on the path and on each directory
 * above it, and the last one that fits decides. The lines are well-formed.
 */
export function naiveExcludes(lines: readonly string[], path: string): boolean {
  let excluded = false;
  for (const { pattern, includes } of lines.flatMap(ruleOf)) {
    const parts = path.split("/");
    const above = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
    if (above.some((directory) => fits(pattern, directory))) excluded = !includes;
  }
  return excluded;
}

interface NaiveRule {
  readonly pattern: string;
  readonly includes: boolean;
}

function ruleOf(line: string, index: number): NaiveRule[] {
  const text = index === 0 && line.startsWith("\ufeff") ? line.slice(1) : line;
  if (text.startsWith("#")) return [];
  const trimmed = trim(text);
  if (trimmed === "") return [];
  const includes = trimmed.startsWith("!");
  return [{ pattern: cleaned(includes ? trim(trimmed.slice(1)) : trimmed), includes }];
}

/** Removes what Unicode calls white space. */
function trim(text: string): string {
  return text.replace(/^\p{White_Space}+/u, "").replace(/\p{White_Space}+$/u, "");
}

/** As Go's filepath.Clean, without one leading slash. */
function cleaned(path: string): string {
  const isAbsolute = path.startsWith("/");
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!isAbsolute) kept.push("..");
  }
  if (kept.length === 0) return isAbsolute ? "/" : ".";
  return kept.join("/");
}

function fits(pattern: string, path: string): boolean {
  // `**` right before plain text at the very beginning: any path that ends in that text.
  if (/^\*\*[^/]/.test(pattern) && !/[*?[\]\\]/.test(pattern.slice(2))) return path.endsWith(pattern.slice(2));
  return tryAll([...pattern], [...path]);
}

function tryAll(pattern: readonly string[], path: readonly string[]): boolean {
  const [head, ...tail] = pattern;
  const [first, ...rest] = path;
  if (head === undefined) return first === undefined;
  if (head === "*" && tail[0] === "*") {
    const after = tail[1] === "/" ? tail.slice(2) : tail.slice(1);
    if (after.length === 0) return true;
    return tryAll(after, path) || path.some((char, i) => char === "/" && tryAll(after, path.slice(i + 1)));
  }
  if (head === "*") return tryAll(tail, path) || (first !== undefined && first !== "/" && tryAll(pattern, rest));
  if (first === undefined) return false;
  if (head === "?") return first !== "/" && tryAll(tail, rest);
  if (head === "[") {
    const { holds, length } = classOf(tail);
    return holds(first) && tryAll(tail.slice(length), rest);
  }
  if (head === "\\") return tail[0] === first && tryAll(tail.slice(1), rest);
  return head === first && tryAll(tail, rest);
}

/** The class whose `[` is already read; `length` counts its bracket at the end. */
function classOf(chars: readonly string[]): { readonly holds: (char: string) => boolean; readonly length: number } {
  let at = chars[0] === "^" ? 1 : 0;
  const isNegated = at === 1;
  const ranges: [number, number][] = [];
  const next = (): number => {
    if (chars[at] === "\\") at++;
    return chars[at++]?.codePointAt(0) ?? 0;
  };
  do {
    const low = next();
    const isRange = chars[at] === "-";
    if (isRange) at++;
    ranges.push([low, isRange ? next() : low]);
  } while (chars[at] !== "]" && at < chars.length);
  const holds = (char: string): boolean => {
    const point = char.codePointAt(0) ?? 0;
    return ranges.some(([low, high]) => low <= point && point <= high) !== isNegated;
  };
  return { holds, length: at + 1 };
}
