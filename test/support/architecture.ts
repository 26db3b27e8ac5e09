import { posix } from "node:path";

/** Source text by path, relative to the checkout. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  readonly specifier: string;
  /** Counts from 1. */
  readonly line: number;
  readonly typeOnly: boolean;
}

export interface Rules {
  /** Folder → what its files may import: folders ("store/") or files. A file belongs to the first folder that it begins with. */
  readonly floors: readonly { readonly folder: string; readonly mayImport: readonly string[] }[];
  /** Built-in module → the files that may import it; a name that ends in "/" stands for all below it. */
  readonly doors: Readonly<Record<string, readonly string[]>>;
  /** Files and folders that import no built-in module which reads or writes anything. */
  readonly pure: readonly string[];
  /** Built-in modules that a pure file may import. */
  readonly pureBuiltIns: readonly string[];
  /** The files that may read process.env, process.argv or end the process. */
  readonly process: readonly string[];
  /** Packages that sources may import: each in one file only. */
  readonly packages: readonly string[];
}

/** Everything in the sources that breaks a rule, as "file:line: what is wrong", sorted. Empty when all is well. */
export function violations(sources: Sources, rules: Rules): string[] {
  const edges = new Map([...sources].map(([file, text]) => [file, importsOf(text)]));
  return [
    ...floorViolations(edges, sources, rules),
    ...packageViolations(edges, rules),
    ...builtInViolations(edges, rules),
    ...processViolations(sources, rules),
    ...cycles(edges),
  ].sort();
}

type Edges = ReadonlyMap<string, readonly Import[]>;

/** Every static, dynamic and re-exporting import of a module, in order. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const imports: Import[] = [];
  const pattern = /^[ \t]*(import|export)\s+(type\s)?(?:[\w*{}$,\s]+?\sfrom\s+)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/gm;
  for (const match of code.matchAll(pattern)) {
    const specifier = match[3] ?? match[4];
    if (specifier === undefined) continue;
    const start = match.index + (match[0].length - match[0].trimStart().length);
    imports.push({ specifier, line: lineAt(code, start), typeOnly: match[2] !== undefined });
  }
  return imports;
}

const COMMENT_OR_STRING = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** Comments become spaces, so that lines keep their numbers. Strings keep what looks like a comment. */
function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (found) => (/^\/[/*]/.test(found) ? blank(found) : found));
}

/** Comments become spaces, and strings too, but for templates, which hold code. */
function codeOnly(text: string): string {
  return text.replace(COMMENT_OR_STRING, (found) => (found.startsWith("`") ? found : blank(found)));
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** The file that a relative specifier names. */
function target(file: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(file), specifier)) : undefined;
}

function covers(list: readonly string[], file: string): boolean {
  return list.some((entry) => (entry.endsWith("/") ? file.startsWith(entry) : file === entry));
}

function floorViolations(edges: Edges, sources: Sources, rules: Rules): string[] {
  const found: string[] = [];
  for (const [file, imports] of edges) {
    const floor = rules.floors.find(({ folder }) => file.startsWith(folder));
    for (const { specifier, line } of imports) {
      const imported = target(file, specifier);
      if (imported === undefined) continue;
      // package.json is data that the version comes from.
      if (!sources.has(imported) && !imported.endsWith(".json")) found.push(`${file}:${line}: ${specifier} is not a source file`);
      else if (floor !== undefined && !covers(floor.mayImport, imported))
        found.push(`${file}:${line}: ${floor.folder} may not import ${imported}`);
    }
  }
  return found;
}

function packageViolations(edges: Edges, rules: Rules): string[] {
  const found: string[] = [];
  const doors = new Map<string, string>();
  for (const [file, imports] of edges) {
    for (const { specifier, line } of imports) {
      if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      const door = doors.get(name) ?? file;
      doors.set(name, door);
      if (!rules.packages.includes(name)) found.push(`${file}:${line}: ${name} is not a dependency`);
      else if (door !== file) found.push(`${file}:${line}: ${name} already has its door in ${door}`);
    }
  }
  return found;
}

function builtInViolations(edges: Edges, rules: Rules): string[] {
  const found: string[] = [];
  for (const [file, imports] of edges) {
    for (const { specifier, line, typeOnly } of imports) {
      if (!specifier.startsWith("node:") || typeOnly) continue;
      const door = rules.doors[specifier];
      if (door !== undefined && !covers(door, file)) found.push(`${file}:${line}: only ${door.join(", ")} may import ${specifier}`);
      if (covers(rules.pure, file) && !rules.pureBuiltIns.includes(specifier))
        found.push(`${file}:${line}: a pure file imports ${specifier}`);
    }
  }
  return found;
}

function processViolations(sources: Sources, rules: Rules): string[] {
  const found: string[] = [];
  for (const [file, text] of sources) {
    if (covers(rules.process, file)) continue;
    const code = codeOnly(text);
    for (const match of code.matchAll(/\bprocess\.(env|argv|exit|exitCode)\b/g)) {
      found.push(`${file}:${lineAt(code, match.index)}: ${match[0]} belongs to the outer edge`);
    }
  }
  return found;
}

/** One line for each import that closes a circle; type-only imports count, since they too tie two files together. */
function cycles(edges: Edges): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { specifier, line } of edges.get(file) ?? []) {
      const next = target(file, specifier);
      if (next === undefined || done.has(next) || !edges.has(next)) continue;
      const start = path.indexOf(next);
      if (start === -1) visit(next);
      else found.push(`${file}:${line}: circle ${[...path.slice(start), next].join(" → ")}`);
    }
    path.pop();
    done.add(file);
  };
  for (const file of [...edges.keys()].sort()) if (!done.has(file)) visit(file);
  return found;
}
