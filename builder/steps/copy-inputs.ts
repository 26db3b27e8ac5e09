import { canonicalJson } from "../../store/canonical-json.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { Merkle, MerkleOptions } from "../cache/merkle.ts";
import { keyVersion } from "../plan/key.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { irrelevantTo, type SourceRoot } from "./source-merkles.ts";

/** What one COPY wants from one origin. */
export interface InputsRequest {
  /** As PathWord has them. */
  readonly paths: readonly string[];
  /** What errors call a path, where that is not the path itself. */
  readonly written?: ReadonlyMap<string, string>;
  /** Names keep the directories above them, from the pivot on. */
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** What the instruction sets whatever the sources have: no part of the roots. */
  readonly irrelevant: MerkleOptions;
}

/** The sources of one COPY, found but read only as far as somebody asks. */
export interface CopyInputs {
  /** The Merkle roots of each source, where they are known without reading or hashing anything. */
  knownRoots(): Promise<readonly SourceRoot[] | undefined>;
  sources(): Promise<readonly CopySource[]>;
  /** The Merkle tree of each source. `known` gives digests of files that were just read; the others come from a cache or are hashed. */
  merkles(known?: ReadonlyMap<SourceNode, Digest>): Promise<readonly (Merkle & SourceRoot)[]>;
  /** Keeps the roots that merkles() gave for knownRoots() of a later build, where it is sure that they will still be right. */
  saveRoots(roots: readonly SourceRoot[]): Promise<void>;
  /** What there is to say of the words, each a line. */
  readonly warnings?: readonly string[];
  /** Runs what reads the sources' contents: ContextChangedError asks to begin again, since the sources changed meanwhile. */
  reading<T>(work: () => Promise<T>): Promise<T>;
}

/** What an instruction asks of the origin that has these paths. */
export function requestOf(operation: CopyOperation, paths: readonly string[]): InputsRequest {
  const { words, parents, exclude } = operation;
  const written = new Map<string, string>();
  for (const word of words) if (word.kind === "path" && word.written !== undefined) written.set(word.path, word.written);
  return { paths, ...(written.size === 0 ? {} : { written }), parents, exclude, irrelevant: irrelevantTo(operation) };
}

/** Names what was asked, by the rules of this version, of an origin that never changes, or together with what it was when it was asked. */
export function requestDigest(request: InputsRequest, origin: string): Digest {
  const { paths, parents, exclude, irrelevant } = request;
  const { ignoreModes, ignoreOwners } = irrelevant;
  return digestOf(canonicalJson({ version: keyVersion, origin, paths, parents, exclude, ignoreModes, ignoreOwners }));
}

/** Sources of several origins, in this order. */
export function joinInputs(parts: readonly CopyInputs[]): CopyInputs {
  const [only, second] = parts;
  if (only !== undefined && second === undefined) return only;
  /** How many roots each part gave. */
  let counts: readonly number[] = [];
  return {
    async knownRoots() {
      const roots = await Promise.all(parts.map((part) => part.knownRoots()));
      return roots.every((known) => known !== undefined) ? roots.flat() : undefined;
    },
    sources: async () => (await Promise.all(parts.map((part) => part.sources()))).flat(),
    async merkles(known) {
      const merkles = [];
      for (const part of parts) merkles.push(await part.merkles(known));
      counts = merkles.map(({ length }) => length);
      return merkles.flat();
    },
    async saveRoots(roots) {
      let at = 0;
      for (const [i, part] of parts.entries()) {
        const end = at + (counts[i] ?? 0);
        await part.saveRoots(roots.slice(at, end));
        at = end;
      }
    },
    warnings: parts.flatMap(({ warnings = [] }) => warnings),
    reading: (work) => parts.reduce((inner, part) => () => part.reading(inner), work)(),
  };
}
