import { bytesOf, hashFiles, type ScanEntry } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes } from "../../store/digest.ts";
import { quotePath } from "../../store/layer/entry-path.ts";
import type { DirectoryContext, ScannedSource } from "../context/directory.ts";
import type { IgnoreLine } from "../context/ignore.ts";
import { shownText } from "../context/shown-text.ts";
import type { InputsRequest } from "./copy-inputs.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** What is known of files beforehand, and what is learned of them: see StatCache. */
export interface FileMemory {
  digest(entry: ScanEntry): Digest | undefined;
  remember(entry: ScanEntry, digest: Digest): void;
}

export interface FoundSources {
  /** In the order of the words. */
  readonly found: readonly ScannedSource[];
  /** Of words for which nothing is copied because of the ignore file. */
  readonly warnings: readonly string[];
}

/** The sources that a request means. */
export async function findSources(context: DirectoryContext, request: InputsRequest): Promise<FoundSources> {
  const found: ScannedSource[] = [];
  const warnings: string[] = [];
  for (const path of request.paths) {
    const sources = await context.find(path, request, request.written?.get(path));
    found.push(...sources);
    const rule = sources.every(({ isEmpty }) => isEmpty) ? await context.leftOutBy(path, request) : undefined;
    if (rule !== undefined) warnings.push(nothingCopied(path, rule));
  }
  return { found, warnings };
}

function nothingCopied(path: string, { file, line, text }: IgnoreLine): string {
  return `nothing is copied for ${quotePath(bytesOf(path === "" ? "." : path))}: what it means is excluded by ${file}:${line}: ${shownText(text)}`;
}

export function toCopySources(found: readonly ScannedSource[]): readonly CopySource[] {
  return found.map((source) => ({ name: source.name, nodes: source.list().nodes }));
}

/** Tells the digest of each file: as `given`, as remembered, or hashed now. */
export async function digestsOf(
  found: readonly ScannedSource[],
  root: string,
  given: ReadonlyMap<SourceNode, Digest> | undefined,
  memory: FileMemory,
): Promise<(file: SourceNode) => Digest> {
  const others = new Map<SourceNode, Digest>();
  const unknown: { readonly node: SourceNode; readonly entry: ScanEntry }[] = [];
  for (const source of found) {
    const { nodes, scanned } = source.list();
    for (const [i, node] of nodes.entries()) {
      const entry = scanned[i];
      if (node.kind !== "file" || entry === undefined) continue;
      const read = given?.get(node);
      if (read !== undefined) {
        memory.remember(entry, read);
        continue;
      }
      const digest = memory.digest(entry);
      if (digest === undefined) unknown.push({ node, entry });
      else others.set(node, digest);
    }
  }
  if (unknown.length > 0) {
    const hashes = await hashFiles(
      root,
      unknown.map(({ entry }) => entry.path),
    );
    for (const [i, { node, entry }] of unknown.entries()) {
      const digest = digestFromBytes(hashes.subarray(i * 32, i * 32 + 32));
      others.set(node, digest);
      memory.remember(entry, digest);
    }
  }
  return (file) => {
    const digest = given?.get(file) ?? others.get(file);
    if (digest === undefined) throw new RangeError("a file that is none of the sources'");
    return digest;
  };
}
