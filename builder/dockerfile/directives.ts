import { TsbuildError } from "../../runtime-addon/index.ts";
import type { SourceRange } from "./instruction.ts";

export interface Directives {
  readonly escape: "\\" | "`";
  /** By lower-case name. */
  readonly values: Readonly<Record<string, string>>;
}

/** One `# key=value` line. */
export interface Directive {
  /** Lower case. */
  readonly key: string;
  readonly value: string;
  readonly range: SourceRange;
}

const known: ReadonlySet<string> = new Set(["syntax", "escape", "check"]);

/**
 * Reads the directives of a Dockerfile (Dockerfile reference, "Parser directives"). Problems go to `onError`, and reading goes on. Behind a `#!` line there may be syntax
 * and check; for escape that line is a comment like others, which ends the directives: so BuildKit reads them.
 */
export function parseDirectives(text: string, onError: (error: TsbuildError, range: SourceRange) => void): Directives {
  const isScript = text.startsWith("#!");
  const values: Record<string, string> = {};
  let escapeChar: "\\" | "`" = "\\";
  for (const { key, value, range } of directiveLines(text, "#")) {
    if (isScript && key === "escape") continue;
    if (Object.hasOwn(values, key)) {
      onError(new TsbuildError("INVALID_DIRECTIVE", `the ${key} directive is given twice`), range);
      continue;
    }
    values[key] = value;
    if (key !== "escape") continue;
    if (value === "\\" || value === "`") escapeChar = value;
    else {
      const message = `the escape directive is ${JSON.stringify(value.slice(0, 20))}`;
      onError(new TsbuildError("INVALID_DIRECTIVE", message, { hint: "it may be a backslash (the default) or a backtick" }), range);
    }
  }
  return { escape: escapeChar, values };
}

/** The lines at the very top that are directives: the first that is anything else, one of an unknown key included, ends them. A `#!` line may stand before them. */
export function directiveLines(text: string, comment: "#" | "//"): readonly Directive[] {
  const found: Directive[] = [];
  for (let at = 0, line = 1; at < text.length; line++) {
    const end = text.indexOf("\n", at);
    const written = text.slice(at, end < 0 ? text.length : end).trimEnd();
    at = end < 0 ? text.length : end + 1;
    if (line === 1 && written.startsWith("#!")) continue;
    if (!written.startsWith(comment)) break;
    const [, name = "", value = ""] = /^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)$/.exec(written.slice(comment.length)) ?? [];
    const key = name.toLowerCase();
    if (!known.has(key)) break;
    found.push({ key, value, range: { start: { line, column: 1 }, end: { line, column: written.length + 1 } } });
  }
  return found;
}
