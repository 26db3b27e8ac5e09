import type { Digest } from "../../store/digest.ts";
import type { StepCache } from "../cache/records.ts";
import type { CopyInputs } from "./copy-inputs.ts";

/** Keeps the roots of an origin that never changes, under what was asked of it. */
export function keptRoots(cache: StepCache, asked: Digest): Pick<CopyInputs, "knownRoots" | "saveRoots"> {
  return {
    // Two digests a source, one after the other.
    async knownRoots() {
      const digests = await cache.roots(asked);
      return digests?.flatMap((root, i) => (i % 2 === 0 ? [{ root, unnamed: digests[i + 1] as Digest }] : []));
    },
    saveRoots: (roots) =>
      cache.saveRoots(
        asked,
        roots.flatMap(({ root, unnamed }) => [root, unnamed]),
      ),
  };
}
