import { type Digest, digestOf } from "../../store/digest.ts";
import { type Merkle, type MerkleOptions, merkleOf } from "../cache/merkle.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import type { KeySource } from "../plan/key.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** What a source is, as digests. */
export interface SourceRoot extends KeySource {
  /** Also of its name, unless it is a directory, of which only what is inside is copied. */
  readonly root: Digest;
  /** Of the source alone: a file's own name is lost where the target names the copy. */
  readonly unnamed: Digest;
}

/** What the flags set whatever the sources have. A symbolic --chmod does not: it changes the modes that are there. */
export function irrelevantTo({ chmod, chown }: Pick<CopyOperation, "chmod" | "chown">): MerkleOptions {
  return { ignoreModes: chmod !== undefined && parseChmod(chmod).octal !== undefined, ignoreOwners: chown !== undefined };
}

/** The Merkle trees of sources, without what the instruction's flags make irrelevant. */
export function sourceMerkles(
  sources: readonly CopySource[],
  digest: (node: SourceNode) => Digest,
  irrelevant: MerkleOptions,
): readonly (Merkle & SourceRoot)[] {
  return sources.map(({ nodes, name, remote, dated }) => {
    const { root: undated, nodes: texts } = merkleOf(nodes, digest, irrelevant);
    const [top] = nodes;
    const unnamed = dated ? digestOf(`${undated} ${top?.mtime}`) : undated;
    const root = top?.kind === "directory" ? unnamed : digestOf(`${name} ${unnamed}`);
    return { unnamed, root, nodes: texts, ...(remote === undefined ? {} : { remote }) };
  });
}
