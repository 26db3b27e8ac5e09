import { type Digest, digestOf } from "../../store/digest.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { StepCache } from "../cache/records.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopyInputs } from "./copy-inputs.ts";
import { findInRootfs, toCopySource, toHashable } from "./rootfs-source.ts";
import { irrelevantTo, sourceMerkles } from "./source-merkles.ts";

/** Where COPY --from reads. */
export interface RootfsOrigin {
  /** Its chain of contents: what the Merkle roots follow from, so that a warm build reads no tree. */
  readonly chain: Digest;
  /** How errors call it: `stage "build"`. */
  readonly describe: string;
  rootfs(): Promise<Rootfs>;
}

/** Sources of COPY --from: an image or a stage never changes, so roots once known stay true. */
export function rootfsInputs(operation: CopyOperation, origin: RootfsOrigin, cache: StepCache): CopyInputs {
  const asked = digestOf(JSON.stringify(["root and unnamed", origin.chain, operation.sources, irrelevantTo(operation)]));
  const find = async () => {
    const rootfs = await origin.rootfs();
    return { rootfs, found: operation.sources.flatMap((source) => findInRootfs(rootfs, source, origin.describe)) };
  };
  return {
    async knownRoots() {
      const digests = await cache.roots(asked);
      return digests?.flatMap((root, i) => (i % 2 === 0 ? [{ root, unnamed: digests[i + 1] as Digest }] : []));
    },
    async sources() {
      const { rootfs, found } = await find();
      return Promise.all(found.map((source) => toCopySource(rootfs, source)));
    },
    async merkles() {
      const { rootfs, found } = await find();
      return found.flatMap((one) => {
        const { source, digests } = toHashable(rootfs, one);
        return sourceMerkles([source], (node) => digests.get(node) as Digest, operation);
      });
    },
    // One after the other.
    saveRoots: (roots) =>
      cache.saveRoots(
        asked,
        roots.flatMap(({ root, unnamed }) => [root, unnamed]),
      ),
    // Layers never change: whatever fails there is no matter of the sources.
    reading: (work) => work(),
  };
}
