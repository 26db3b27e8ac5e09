import type { Digest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import type { Descriptor, Index, Platform } from "./oci.ts";
import { isIndexType, isManifestType } from "./oci-parse.ts";
import { bestForPlatform, platformText } from "./platform.ts";

/** Index in index in index: no tool writes more, and each level multiplies. */
const maxDepth = 3;
const maxIndexes = 64;

/** Reads an index; undefined for one that is not at hand, which then offers nothing. */
export type ReadIndex = (descriptor: Descriptor) => Promise<Index | undefined>;

/**
 * The manifests that an entry stands for, in its order: itself, or what an index lists at any depth. Attestations are left out, and so is what is neither manifest nor
 * index. Throws INVALID_DOCUMENT for indexes that are nested too deep, or too many of them.
 */
export async function offersOf(entry: Descriptor, readIndex: ReadIndex): Promise<readonly Descriptor[]> {
  let count = 0;
  const manifestsOf = async (inner: Descriptor, depth: number): Promise<readonly Descriptor[]> => {
    if (isManifestType(inner.mediaType)) return isAttestation(inner) ? [] : [inner];
    if (!isIndexType(inner.mediaType)) return [];
    if (depth === maxDepth) throw tooMuch(`more than ${maxDepth} levels of indexes`);
    count += 1;
    if (count > maxIndexes) throw tooMuch(`more than ${maxIndexes} indexes`);
    const found: Descriptor[] = [];
    for (const next of (await readIndex(inner))?.manifests ?? []) found.push(...(await manifestsOf(next, depth + 1)));
    return found;
  };
  const tooMuch = (what: string) => new TsbuildError("INVALID_DOCUMENT", `reading the index ${entry.digest}: ${what}`);
  return manifestsOf(entry, 0);
}

/** BuildKit puts its attestations into the index as manifests of no platform. */
function isAttestation({ platform, annotations }: Descriptor): boolean {
  return platform?.os === "unknown" || annotations?.["vnd.docker.reference.type"] !== undefined;
}

/** What an index has for a platform; one manifest that does not say what it is for is for all. */
export function chooseOffer(offers: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const [only, ...others] = distinctOffers(offers);
  return bestForPlatform(offers, wanted) ?? (others.length === 0 && only?.platform === undefined ? only : undefined);
}

/** Each manifest once. */
export function distinctOffers(offers: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map<Digest, Descriptor>(offers.map((offer) => [offer.digest, offer])).values()];
}

/** "linux/amd64, linux/arm64", for messages. */
export function offersText(offers: readonly Descriptor[]): string {
  const platforms = offers.map(({ platform }) => (platform === undefined ? "unnamed" : platformText(platform)));
  return [...new Set(platforms)].join(", ") || "no platforms";
}
