import { textOf } from "../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import { type Merkle, merkleOf } from "../cache/merkle.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** The Merkle trees of sources under the flags that make modes or owners irrelevant. */
export function sourceMerkles(
  sources: readonly CopySource[],
  digest: (node: SourceNode) => Digest,
  operation: CopyOperation,
): readonly Merkle[] {
  return sources.map(({ nodes, name }) => {
    const merkle = merkleOf(nodes, digest, { ignoreModes: operation.chmod !== undefined, ignoreOwners: operation.chown !== undefined });
    return { ...merkle, root: digestOf(`${textOf(name)} ${merkle.root}`) };
  });
}
