import type { ImageSummary } from "../../store/images.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { formatAge, formatTable, shortId } from "./table.ts";

export const images = command(
  {
    name: "images",
    operands: "",
    summary: "List the images of the store, newest first.",
    flags: {
      quiet: { short: "q", help: "Print image ids only" },
      "no-trunc": { help: "Print whole image ids" },
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      all: { short: "a", note: "all images are always listed" },
      digests: { missing: "--format json has the digests" },
      filter: { short: "f", value: true, missing: "all images are always listed" },
      history: { missing: "names that images had are not kept" },
      noheading: { short: "n", missing: "--format json and --quiet have no headings" },
      sort: { value: true, off: "created", missing: "the newest image is always first" },
      tree: { missing: "an image is listed once, whatever platforms its name has" },
    },
    examples: ["tsbuild images", "tsbuild images --format json"],
  },
  { min: 0, max: 0 },
  ({ flags }, io) =>
    withStore(flags, io, async (store) => {
      const listed = [...(await store.images.list())].sort((a, b) => timeOf(b) - timeOf(a));
      for (const { names, manifestDigest, damage } of listed) {
        if (damage !== undefined)
          io.stderr.write(`${harmless(`warning: ${names[0] ?? manifestDigest} cannot be read: ${damage}`, { colors: false })}\n`);
      }
      const idOf = ({ imageId }: ImageSummary): string =>
        imageId === undefined ? "<damaged>" : flags["no-trunc"] ? imageId : shortId(imageId);
      if (flags.format === "json") io.stdout.write(formatJson(listed));
      else if (flags.quiet) io.stdout.write([...new Set(listed.map(idOf))].map((id) => `${id}\n`).join(""));
      else
        io.stdout.write(
          formatTable(
            ["NAME", "IMAGE ID", "CREATED", "SIZE"],
            listed.flatMap((image) => rowsOf(image, idOf(image), Date.now())),
          ),
        );
      return 0;
    }),
);

function rowsOf(image: ImageSummary, id: string, nowMs: number): string[][] {
  const names = image.names.length > 0 ? image.names : image.digestNames;
  return (names.length > 0 ? names : ["<none>"]).map((name) => [
    harmless(name, { colors: false }),
    id,
    formatAge(image.created, nowMs),
    formatBytes(image.sizeBytes),
  ]);
}

function timeOf({ created }: ImageSummary): number {
  const timeMs = Date.parse(created ?? "");
  return Number.isNaN(timeMs) ? Number.NEGATIVE_INFINITY : timeMs;
}
