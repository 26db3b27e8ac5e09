import type { Digest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import { shortened } from "./foreign-text.ts";
import type { Descriptor, Index, Platform } from "./oci.ts";
import { isIndexType, isManifestType } from "./oci-parse.ts";
import { bestForPlatform, platformText } from "./platform.ts";

/** Index in index in index: no tool writes more, and each level multiplies. */
const maxDepth = 3;
const maxIndexes = 64;
/** Entries of all indexes together. */
const maxEntries = 10_000;

/** Reads an index; undefined for one that is not at hand, which then offers nothing. */
export type ReadIndex = (descriptor: Descriptor) => Promise<Index | undefined>;

/**
 * The manifests that an entry stands for, in its order: itself, or what an index lists at any depth. An index that is listed again is not read again, and adds nothing. Attestations
 * are left out, and so is what is neither manifest nor index. Throws as walkIndexes.
 */
export async function offersOf(entry: Descriptor, readIndex: ReadIndex): Promise<readonly Descriptor[]> {
  const offers: Descriptor[] = [];
  await walkIndexes(entry, readIndex, (leaf) => {
    if (isManifestType(leaf.mediaType) && !isAttestation(leaf)) offers.push(leaf);
  });
  return offers;
}

/**
 * Calls `onLeaf` for an entry that is no index, or for all of those below it, in their order and as often as they are listed; each index is read once. Throws INVALID_DOCUMENT for indexes that are
 * nested too deep, too many of them, or too many entries.
 */
export async function walkIndexes(
  entry: Descriptor,
  readIndex: ReadIndex,
  onLeaf: (leaf: Descriptor) => Promise<void> | void,
): Promise<void> {
  const indexes = new Set<Digest>();
  let entries = 0;
  const visit = async (inner: Descriptor, depth: number): Promise<void> => {
    if (!isIndexType(inner.mediaType)) return onLeaf(inner);
    if (indexes.has(inner.digest)) return;
    if (depth === maxDepth) throw tooMuch(`more than ${maxDepth} levels of indexes`);
    indexes.add(inner.digest);
    if (indexes.size > maxIndexes) throw tooMuch(`more than ${maxIndexes} indexes`);
    const { manifests = [] } = (await readIndex(inner)) ?? {};
    entries += manifests.length;
    if (entries > maxEntries) throw tooMuch(`more than ${maxEntries} entries`);
    for (const next of manifests) await visit(next, depth + 1);
  };
  const tooMuch = (what: string) => new TsbuildError("INVALID_DOCUMENT", `reading the index ${entry.digest}: ${what}`);
  await visit(entry, 0);
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

/** Whether this one of the offers is had by asking for the platform that it is for. */
export function isAskedForAs(offer: Descriptor, offers: readonly Descriptor[]): boolean {
  return offer.platform !== undefined && chooseOffer(offers, offer.platform)?.digest === offer.digest;
}

/** Each manifest once. */
export function distinctOffers(offers: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map<Digest, Descriptor>(offers.map((offer) => [offer.digest, offer])).values()];
}

const shownPlatforms = 20;

/** "linux/amd64, linux/arm64", for messages. */
export function offersText(offers: readonly Descriptor[]): string {
  const platforms = new Set(offers.map(({ platform }) => (platform === undefined ? "unnamed" : shortened(platformText(platform)))));
  const shown = [...platforms].slice(0, shownPlatforms);
  const others = platforms.size - shown.length;
  return `${shown.join(", ") || "no platforms"}${others > 0 ? ` and ${others} more` : ""}`;
}
