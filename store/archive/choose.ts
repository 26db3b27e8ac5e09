import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { nameOf, referenceOf, withoutName } from "../image-names.ts";
import type { Descriptor, Index, Platform } from "../oci.ts";
import { bestForPlatform, platformText } from "../platform.ts";
import { distinctOffers, offersOf, offersText } from "../platform-offers.ts";
import { familiarName } from "../reference.ts";

/** One image of a layout: its manifest, and the names that it has there, as far as an image can be called so. */
export interface ChosenImage {
  readonly manifest: Descriptor;
  readonly names: readonly string[];
}

/**
 * The images of a layout for one platform. What bears one name is one image for several platforms, be it a list of manifests or an index;
 * so are nameless manifests of distinct platforms. Where there is no choice the platform does not matter. Throws PLATFORM_NOT_FOUND, NO_IMAGES.
 */
export async function chooseImages(
  index: Index,
  readIndex: (descriptor: Descriptor) => Promise<Index>,
  platform: Platform,
): Promise<readonly ChosenImage[]> {
  const chosen = new Map<Digest, { manifest: Descriptor; names: string[] }>();
  for (const { name, entries } of groupsOf(index)) {
    const offers: Descriptor[] = [];
    for (const entry of entries) offers.push(...(await offersOf(entry, readIndex)));
    const manifest = chooseOne(offers, platform, name);
    if (manifest === undefined) continue;
    const image = chosen.get(manifest.digest) ?? { manifest: withoutName(manifest), names: [] };
    chosen.set(manifest.digest, image);
    const reference = referenceOf(entries[0] as Descriptor);
    if (reference !== undefined && reference.digest === undefined) image.names.push(familiarName(reference));
  }
  if (chosen.size === 0) throw new TsbuildError("NO_IMAGES", "reading an image layout: its index.json lists no image");
  return [...chosen.values()];
}

interface Group {
  readonly name: string | undefined;
  readonly entries: Descriptor[];
}

function groupsOf(index: Index): readonly Group[] {
  const named = new Map<string, Group>();
  const nameless: Descriptor[] = [];
  for (const entry of index.manifests) {
    const name = nameOf(entry);
    if (name === undefined) nameless.push(entry);
    else {
      const group = named.get(name) ?? { name, entries: [] };
      named.set(name, group);
      group.entries.push(entry);
    }
  }
  const platforms = new Set(nameless.map(({ platform }) => (platform === undefined ? undefined : platformText(platform))));
  const isOneImage = !platforms.has(undefined) && platforms.size === nameless.length;
  const groups = isOneImage ? [nameless] : nameless.map((entry) => [entry]);
  return [...named.values(), ...groups.filter((entries) => entries.length > 0).map((entries) => ({ name: undefined, entries }))];
}

function chooseOne(offers: readonly Descriptor[], platform: Platform, name: string | undefined): Descriptor | undefined {
  const distinct = distinctOffers(offers);
  if (distinct.length < 2) return distinct[0];
  const best = bestForPlatform(distinct, platform);
  if (best !== undefined) return best;
  throw new TsbuildError(
    "PLATFORM_NOT_FOUND",
    `reading image ${name ?? "without a name"}: it is for ${offersText(distinct)}, not ${platformText(platform)}`,
  );
}
