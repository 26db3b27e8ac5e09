import { TsbuildError } from "../../runtime-addon/index.ts";
import type { SourceRange } from "./instruction.ts";

export interface Directives {
  readonly escape: "\\" | "`";
  /** By lower-case name. */
  readonly values: Readonly<Record<string, string>>;
}

const known: ReadonlySet<string> = new Set(["syntax", "escape", "check"]);

/**
 * Reads the `# key=value` lines at the very top (Dockerfile reference, "Parser directives"): the first line that is anything
 * else, an unknown key included, ends them. A `#!` line may stand before them. Problems go to `onError`, and reading goes on.
 */
export function parseDirectives(text: string, onError: (error: TsbuildError, range: SourceRange) => void): Directives {
  const values: Record<string, string> = {};
  let escapeChar: "\\" | "`" = "\\";
  let line = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const written = text.slice(at, end < 0 ? text.length : end).trimEnd();
    at = end < 0 ? text.length : end + 1;
    line++;
    if (line === 1 && written.startsWith("#!")) continue;
    const [, name = "", value = ""] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)$/.exec(written) ?? [];
    const key = name.toLowerCase();
    if (!known.has(key)) break;
    const range = { start: { line, column: 1 }, end: { line, column: written.length + 1 } };
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
