import type { PlatformImage } from "../../store/image-content.ts";
import type { ImageSummary } from "../../store/images.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { imageFilter } from "./image-filter.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { formatAge, formatTable, shortId } from "./table.ts";

export const images = command(
  {
    name: "images",
    operands: "[PATTERN]",
    summary:
      "List the images of the store, newest first, or those whose names are like PATTERN. OWN is what no other image has: of it a removal can free no more.",
    flags: {
      all: { short: "a", help: "List each platform of an image, those too that are not here" },
      digests: { help: "Show digests" },
      filter: {
        short: "f",
        value: "KEY=VALUE",
        many: true,
        help: "Only images with this (dangling=true, label=KEY[=VALUE], reference=PATTERN, before=IMAGE, since=IMAGE)",
      },
      quiet: { short: "q", help: "Print image ids only" },
      "no-trunc": { help: "Print whole image ids" },
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      history: { missing: "names that images had are not kept" },
      noheading: { short: "n", missing: "--format json and --quiet have no headings" },
      sort: { value: true, off: "created", missing: "the newest image is always first" },
      tree: { missing: "--all lists the platforms of each image" },
    },
    examples: ["tsbuild images", "tsbuild images --all --filter label=team=web", "tsbuild images 'team/*'", "tsbuild images --format json"],
  },
  { min: 0, max: 1 },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const passes = await imageFilter([...(flags.filter ?? []), ...operands.map((pattern) => `reference=${pattern}`)], store.images);
      const listed = [...(await store.images.list())].filter(passes).sort((a, b) => timeOf(b) - timeOf(a));
      for (const { names, manifestDigest, damage } of listed) {
        if (damage !== undefined)
          io.stderr.write(`${harmless(`warning: ${names[0] ?? manifestDigest} cannot be read: ${damage}`, { colors: false })}\n`);
      }
      const { all = false, digests = false } = flags;
      const shown = { all, digests, idOf: (id: string) => (flags["no-trunc"] ? id : shortId(id)), nowMs: Date.now() };
      if (flags.format === "json") io.stdout.write(formatJson(listed));
      else if (flags.quiet) {
        const ids = listed.flatMap((image) => lines(image, shown).map(({ imageId }) => imageId));
        io.stdout.write([...new Set(ids)].map((id) => `${id}\n`).join(""));
      } else {
        const header = ["NAME", ...(digests ? ["DIGEST"] : []), ...(all ? ["PLATFORM"] : []), "IMAGE ID", "CREATED", "SIZE", "OWN"];
        io.stdout.write(
          formatTable(
            header,
            listed.flatMap((image) => rowsOf(image, shown)),
          ),
        );
      }
      return 0;
    }),
);

interface Shown {
  readonly all: boolean;
  readonly digests: boolean;
  idOf(imageId: string): string;
  readonly nowMs: number;
}

/** A line of an image: itself, or one of its platforms. */
interface Line {
  readonly imageId: string;
  readonly digest: string;
  readonly platform: string;
  readonly size: string;
}

function rowsOf(image: ImageSummary, shown: Shown): string[][] {
  const named = image.names.length > 0 ? image.names : image.digestNames;
  return (named.length > 0 ? named : ["<none>"]).flatMap((name) =>
    lines(image, shown).map(({ imageId, digest, platform, size }) => [
      harmless(name, { colors: false }),
      ...(shown.digests ? [digest] : []),
      ...(shown.all ? [harmless(platform, { colors: false })] : []),
      imageId,
      formatAge(image.created, shown.nowMs),
      size,
      formatBytes(image.ownBytes),
    ]),
  );
}

function lines(image: ImageSummary, { all, idOf }: Shown): Line[] {
  const { imageId, listedDigest, platform, platforms, sizeBytes } = image;
  const id = imageId === undefined ? "<damaged>" : idOf(imageId);
  if (!all || imageId === undefined)
    return [{ imageId: id, digest: listedDigest, platform: platformName(platform), size: formatBytes(sizeBytes) }];
  return platforms.map((one) => ({
    imageId: one.imageId === undefined ? "<not here>" : idOf(one.imageId),
    digest: one.descriptor.digest,
    platform: platformName(one.platform),
    size: sizeOf(one),
  }));
}

function platformName(platform: Platform | undefined): string {
  return platform === undefined ? "" : platformText(platform);
}

function sizeOf({ sizeBytes }: PlatformImage): string {
  return sizeBytes === undefined ? "" : formatBytes(sizeBytes);
}

function timeOf({ created }: ImageSummary): number {
  const timeMs = Date.parse(created ?? "");
  return Number.isNaN(timeMs) ? Number.NEGATIVE_INFINITY : timeMs;
}
