import type { Digest } from "../../store/digest.ts";
import type { Merkle } from "../cache/merkle.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** The sources of one COPY, found but read only as far as somebody asks. */
export interface CopyInputs {
  /** The Merkle root of each source, where it is known without reading or hashing anything. */
  knownRoots(): Promise<readonly Digest[] | undefined>;
  sources(): Promise<readonly CopySource[]>;
  /** The Merkle tree of each source. `known` gives digests of files that were just read; the others come from a cache or are hashed. */
  merkles(known?: ReadonlyMap<SourceNode, Digest>): Promise<readonly Merkle[]>;
  /** Keeps the roots for knownRoots() of a later build, where it is sure that they will still be right. */
  saveRoots(roots: readonly Digest[]): Promise<void>;
}
