import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./cli.ts";

/** Text of a page that the project has for people: "README.md", "docs/errors.md". */
export function page(name: string): string {
  return readFileSync(join(CHECKOUT, name), "utf8");
}

/** What stands under a heading of a page, up to the next one of its level or a higher one. Throws where there is no such heading. */
export function sectionOf(name: string, heading: string): string {
  const lines = page(name).split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start === -1) throw new Error(`${name} has no heading "${heading}"`);
  const level = /^#+/.exec(lines[start] ?? "")?.[0].length ?? 0;
  let code = false;
  const end = lines.findIndex((line, index) => {
    if (line.startsWith("```")) code = !code;
    return index > start && !code && new RegExp(`^#{1,${level}} `).test(line);
  });
  return lines.slice(start + 1, end === -1 ? undefined : end).join("\n");
}
