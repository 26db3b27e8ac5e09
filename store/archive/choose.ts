import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { shortened } from "../foreign-text.ts";
import { nameOf, referenceOf, shownName, withoutName } from "../image-names.ts";
import type { Descriptor, Index, Platform } from "../oci.ts";
import { machinePlatform, platformText } from "../platform.ts";
import { chooseOffer, distinctOffers, isAskedForAs, offersOf, offersText } from "../platform-offers.ts";
import { familiarName } from "../reference.ts";

/** One image of a layout: its manifest, and the names that it has there, as far as an image can be called so. */
export interface ChosenImage {
  readonly manifest: Descriptor;
  readonly names: readonly string[];
}

/** A platform of a named image that is not taken. */
export interface LeftOut {
  readonly name: string | undefined;
  /** "linux/arm64", for messages; else the manifest's digest. */
  readonly platform: string;
  /** Of an index that came without it: not there. */
  readonly isHere: boolean;
  /** Asking for its platform takes it. */
  readonly isReachable: boolean;
  /** One index lists it, which can be copied as a whole. */
  readonly isOfIndex: boolean;
}

/** What a layout has besides its index.json. */
export interface LayoutDocuments {
  /** Undefined for an index that is not there: it then offers nothing. */
  index(descriptor: Descriptor): Promise<Index | undefined>;
  /** Says nothing of whether it is whole: what is not taken is not read. */
  hasManifest(descriptor: Descriptor): boolean;
}

/**
 * The images of a layout for one platform, and what is left out of them. What bears one name is one image for several platforms, be it a list of manifests or an index; so are nameless
 * manifests of distinct platforms. `platform` is the one asked for; absent: this machine's, where there is a choice, else what is there. Throws PLATFORM_NOT_FOUND, NO_IMAGES.
 */
export async function chooseImages(
  index: Index,
  documents: LayoutDocuments,
  platform?: Platform,
): Promise<{ readonly images: readonly ChosenImage[]; readonly leftOut: readonly LeftOut[]; readonly moreLeftOut: number }> {
  const chosen = new Map<Digest, { manifest: Descriptor; names: string[] }>();
  const leftOut: LeftOut[] = [];
  let moreLeftOut = 0;
  // One index may bear any number of names.
  const known = new Map<string, { readonly offers: readonly Offer[]; readonly manifest: Descriptor | undefined }>();
  for (const entries of groupsOf(index)) {
    const name = shownName(entries[0] as Descriptor);
    const key = JSON.stringify(entries.map(({ mediaType, digest, size, platform: own }) => [mediaType, digest, size, own]));
    const found = known.get(key) ?? (await choiceOf(entries, documents, platform, name));
    known.set(key, found);
    const { offers, manifest } = found;
    if (manifest === undefined) continue;
    const image = chosen.get(manifest.digest) ?? { manifest: withoutName(manifest), names: [] };
    chosen.set(manifest.digest, image);
    const reference = referenceOf(entries[0] as Descriptor);
    if (reference !== undefined && reference.digest === undefined) image.names.push(familiarName(reference));
    const others = othersOf(offers, manifest);
    const told = others.slice(0, maxTold - leftOut.length);
    leftOut.push(...leftOutOf(told, offers, name, entries.length === 1));
    moreLeftOut += others.length - told.length;
  }
  if (chosen.size === 0) throw new TsbuildError("NO_IMAGES", "reading an image layout: its index.json lists no image");
  return { images: [...chosen.values()], leftOut, moreLeftOut };
}

interface Offer {
  readonly manifest: Descriptor;
  readonly isHere: boolean;
}

/** So many are told of one by one: whether one can be asked for takes a look at all. */
const maxTold = 50;

async function choiceOf(
  entries: readonly Descriptor[],
  documents: LayoutDocuments,
  platform: Platform | undefined,
  name: string | undefined,
): Promise<{ readonly offers: readonly Offer[]; readonly manifest: Descriptor | undefined }> {
  const offers: Offer[] = [];
  for (const entry of entries) {
    for (const manifest of await offersOf(entry, documents.index)) {
      offers.push({ manifest, isHere: documents.hasManifest(manifest) });
    }
  }
  return { offers, manifest: chooseOne(offers, platform, name) };
}

/** Each once. */
function othersOf(offers: readonly Offer[], { digest }: Descriptor): readonly Offer[] {
  const others = offers.filter(({ manifest }) => manifest.digest !== digest);
  return [...new Map(others.map((offer) => [offer.manifest.digest, offer])).values()];
}

function leftOutOf(others: readonly Offer[], offers: readonly Offer[], name: string | undefined, isOfIndex: boolean): readonly LeftOut[] {
  if (others.length === 0) return [];
  const all = offers.map(({ manifest }) => manifest);
  return others.map(({ manifest, isHere }) => ({
    name,
    platform: manifest.platform === undefined ? manifest.digest : shortened(platformText(manifest.platform)),
    isHere,
    isReachable: isAskedForAs(manifest, all),
    isOfIndex,
  }));
}

/** Never an empty one. */
function groupsOf(index: Index): readonly (readonly Descriptor[])[] {
  const named = new Map<string, Descriptor[]>();
  const nameless: Descriptor[] = [];
  for (const entry of index.manifests) {
    const name = nameOf(entry);
    if (name === undefined) nameless.push(entry);
    else if (!named.get(name)?.push(entry)) named.set(name, [entry]);
  }
  const platforms = new Set(nameless.map(({ platform }) => (platform === undefined ? undefined : platformText(platform))));
  const isOneImage = !platforms.has(undefined) && platforms.size === nameless.length;
  const groups = isOneImage ? [nameless] : nameless.map((entry) => [entry]);
  return [...named.values(), ...groups.filter((entries) => entries.length > 0)];
}

function chooseOne(offers: readonly Offer[], wanted: Platform | undefined, name: string | undefined): Descriptor | undefined {
  const all = distinctOffers(offers.map(({ manifest }) => manifest));
  const here = distinctOffers(offers.flatMap(({ manifest, isHere }) => (isHere ? [manifest] : [])));
  // Of what is not there at all, reading says so.
  const candidates = here.length > 0 && wanted === undefined ? here : all;
  if (candidates.length < 2 && wanted === undefined) return candidates[0];
  const platform = wanted ?? machinePlatform();
  const best = chooseOffer(candidates, platform);
  if (best !== undefined && (wanted === undefined || here.includes(best))) return best;
  throw new TsbuildError(
    "PLATFORM_NOT_FOUND",
    best === undefined
      ? `reading image ${name ?? "without a name"}: it is for ${offersText(candidates)}, not ${platformText(platform)}`
      : `reading image ${name ?? "without a name"}: its index lists ${platformText(platform)}, but that is not there`,
  );
}
