import { TsbuildError } from "../../runtime-addon/index.ts";
import { parseReference } from "../../store/reference.ts";
import { type Directive, directiveLines } from "./directives.ts";
import { located, type Source } from "./errors.ts";
import { quoted } from "./fault.ts";
import type { SourceRange } from "./instruction.ts";

/**
 * Refuses a file that is written for another frontend than Docker's own, of which tsbuild has the language built in: "docker/dockerfile" and its variants, in any
 * version. `asked` is what --build-arg BUILDKIT_SYNTAX says, which goes before the file's own `# syntax=`; files of other frontends may have it behind "//" or in a
 * JSON object. Throws UNSUPPORTED_FRONTEND.
 */
export function refuseOtherFrontend(source: Source, asked = ""): void {
  const found = asked.trim() === "" ? syntaxOf(source.text) : { value: asked.trim(), range: startOfFile };
  const [name = ""] = found?.value.split(" ") ?? [];
  if (found === undefined || isOwn(name)) return;
  const message = `the file is for the frontend ${quoted(name)}, and no frontend but docker/dockerfile can be had`;
  const hint = "if it is an ordinary Dockerfile, name docker/dockerfile:1, or no syntax at all";
  throw located(new TsbuildError("UNSUPPORTED_FRONTEND", message, { hint }), source, found.range);
}

const startOfFile: SourceRange = { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };

function isOwn(name: string): boolean {
  try {
    const { registry, repository } = parseReference(name);
    return registry === "docker.io" && /^docker\/dockerfile(?:-[a-z0-9-]+)?$/.test(repository);
  } catch {
    return false;
  }
}

function syntaxOf(text: string): Pick<Directive, "value" | "range"> | undefined {
  const isSyntax = ({ key }: Directive): boolean => key === "syntax";
  return directiveLines(text, "#").find(isSyntax) ?? directiveLines(text, "//").find(isSyntax) ?? syntaxInJson(text);
}

function syntaxInJson(text: string): Pick<Directive, "value" | "range"> | undefined {
  const json = text.startsWith("#!") ? text.slice(text.indexOf("\n") + 1) : text;
  if (!json.trimStart().startsWith("{")) return undefined;
  try {
    const { syntax } = JSON.parse(json);
    return typeof syntax === "string" ? { value: syntax, range: startOfFile } : undefined;
  } catch {
    return undefined;
  }
}
