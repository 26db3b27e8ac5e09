import type { Digest } from "../../store/digest.ts";
import type { Merkle } from "../cache/merkle.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import type { SourceRoot } from "./source-merkles.ts";

/** The sources of one COPY, found but read only as far as somebody asks. */
export interface CopyInputs {
  /** The Merkle roots of each source, where they are known without reading or hashing anything. */
  knownRoots(): Promise<readonly SourceRoot[] | undefined>;
  sources(): Promise<readonly CopySource[]>;
  /** The Merkle tree of each source. `known` gives digests of files that were just read; the others come from a cache or are hashed. */
  merkles(known?: ReadonlyMap<SourceNode, Digest>): Promise<readonly (Merkle & SourceRoot)[]>;
  /** Keeps the roots for knownRoots() of a later build, where it is sure that they will still be right. */
  saveRoots(roots: readonly SourceRoot[]): Promise<void>;
  /** Runs what reads the sources' contents: ContextChangedError asks to begin again, since the sources changed meanwhile. */
  reading<T>(work: () => Promise<T>): Promise<T>;
}
