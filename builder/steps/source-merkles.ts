import { type Digest, digestOf } from "../../store/digest.ts";
import { type Merkle, type MerkleOptions, merkleOf } from "../cache/merkle.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** What the flags set whatever the sources have. A symbolic --chmod does not: it changes the modes that are there. */
export function irrelevantTo({ chmod, chown }: CopyOperation): MerkleOptions {
  return { ignoreModes: chmod !== undefined && parseChmod(chmod).octal !== undefined, ignoreOwners: chown !== undefined };
}

/** The Merkle trees of sources, without what the operation's flags make irrelevant. */
export function sourceMerkles(
  sources: readonly CopySource[],
  digest: (node: SourceNode) => Digest,
  operation: CopyOperation,
): readonly Merkle[] {
  const options = irrelevantTo(operation);
  return sources.map(({ nodes, name }) => {
    const merkle = merkleOf(nodes, digest, options);
    return { ...merkle, root: digestOf(`${name} ${merkle.root}`) };
  });
}
