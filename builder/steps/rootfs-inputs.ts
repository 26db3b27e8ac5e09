import type { Digest } from "../../store/digest.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { StepCache } from "../cache/records.ts";
import { type CopyInputs, type InputsRequest, requestDigest } from "./copy-inputs.ts";
import { keptRoots } from "./kept-roots.ts";
import { findInRootfs, toCopySource, toHashable } from "./rootfs-source.ts";
import { sourceMerkles } from "./source-merkles.ts";

/** Where COPY --from reads. */
export interface RootfsOrigin {
  /** Its chain of contents: what the Merkle roots follow from, so that a warm build reads no tree. */
  readonly chain: Digest;
  /** How errors call it: `stage "build"`. */
  readonly describe: string;
  rootfs(): Promise<Rootfs>;
}

/** Sources of COPY --from: an image or a stage never changes, so roots once known stay true. */
export function rootfsInputs(request: InputsRequest, origin: RootfsOrigin, cache: StepCache): CopyInputs {
  const asked = requestDigest(request, origin.chain);
  const find = async () => {
    const rootfs = await origin.rootfs();
    return {
      rootfs,
      found: request.paths.flatMap((path) => findInRootfs(rootfs, path, origin.describe, request, request.written?.get(path))),
    };
  };
  return {
    ...keptRoots(cache, asked),
    async sources() {
      const { rootfs, found } = await find();
      return Promise.all(found.map((source) => toCopySource(rootfs, source)));
    },
    async merkles() {
      const { rootfs, found } = await find();
      return found.flatMap((one) => {
        const { source, digests } = toHashable(rootfs, one);
        return sourceMerkles([source], (node) => digests.get(node) as Digest, request.irrelevant);
      });
    },
    // Layers never change: whatever fails there is no matter of the sources.
    reading: (work) => work(),
  };
}
