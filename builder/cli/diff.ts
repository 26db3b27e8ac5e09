import { textOf } from "../../runtime-addon/index.ts";
import { type ConfigDifference, diffConfigs } from "../../store/config-diff.ts";
import type { RootfsEntry } from "../../store/layer/rootfs.ts";
import { diffRootfs, type FileDifference } from "../../store/layer/rootfs-diff.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";

export const diff = command(
  {
    name: "diff",
    operands: "IMAGE IMAGE",
    summary:
      "Show in what two images differ: fields of the configuration, and files. Exit code 0: in nothing; 1: in something; 2: they cannot be compared.",
    flags: {
      "ignore-times": { help: "Leave out when files were changed and the image was made" },
      ...platformFlags,
      ...formatFlags,
      ...storeFlags,
    },
    examples: ["tsbuild diff app:v1 app:v2", "tsbuild diff --ignore-times --format json app:v1 app:v2"],
  },
  { min: 2, max: 2 },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const options = { times: !(flags["ignore-times"] ?? false) };
      const open = async (name = "") => {
        const image = await store.images.open(name, platformOfFlag(flags));
        return { image, rootfs: await openRootfs(store.layers, image.layers) };
      };
      const [a, b] = [await open(operands[0]), await open(operands[1])];
      const config = diffConfigs(a.image.config, b.image.config, options);
      const files = [...diffRootfs(a.rootfs, b.rootfs, options)];
      if (flags.format === "json") io.stdout.write(formatJson({ config, files: files.map(describeFile) }));
      else
        io.stdout.write(
          [...config.map(configLine), ...files.map(fileLine)].map((line) => `${harmless(line, { colors: false })}\n`).join(""),
        );
      return config.length + files.length === 0 ? 0 : 1;
    }),
  { exitCodeOf: () => 2 },
);

function configLine({ field, a, b }: ConfigDifference): string {
  if (a === undefined) return `+ ${field}: ${JSON.stringify(b)}`;
  return b === undefined ? `- ${field}: ${JSON.stringify(a)}` : `~ ${field}: ${JSON.stringify(a)} → ${JSON.stringify(b)}`;
}

function fileLine(difference: FileDifference): string {
  const path = `/${textOf(difference.path)}`;
  if (difference.change !== "changed") {
    const suffix = difference.entry.kind === "directory" && path !== "/" ? "/" : "";
    return `${difference.change === "added" ? "A" : "D"} ${path}${suffix}`;
  }
  const { a, b, aspects } = difference;
  const told = aspects.map((aspect) => {
    const [before, after] = [shownValue(a, aspect), shownValue(b, aspect)];
    return before === undefined || after === undefined ? aspect : `${aspect} ${before} → ${after}`;
  });
  return `C ${path} (${told.join(", ")})`;
}

type Aspect = Extract<FileDifference, { readonly change: "changed" }>["aspects"][number];

/** Undefined for what is too long to be shown. */
function shownValue(entry: RootfsEntry, aspect: Aspect): string | undefined {
  switch (aspect) {
    case "kind":
      return entry.kind;
    case "mode":
      return entry.mode.toString(8).padStart(4, "0");
    case "owner":
      return `${entry.uid}:${entry.gid}`;
    case "time":
      return timeText(entry);
    case "size":
      return "size" in entry ? String(entry.size) : undefined;
    case "target":
      return "target" in entry ? JSON.stringify(textOf(entry.target)) : undefined;
    case "device":
      return "major" in entry ? `${entry.major},${entry.minor}` : undefined;
    default:
      return undefined;
  }
}

/** Years beyond 9999 have no RFC 3339 form. */
function timeText({ mtime, mtimeNsec }: RootfsEntry): string {
  const date = new Date(mtime * 1000);
  const seconds = Number.isNaN(date.getTime()) ? `@${mtime}` : date.toISOString().slice(0, -5);
  return mtimeNsec === 0 ? seconds : `${seconds}.${String(mtimeNsec).padStart(9, "0")}`;
}

function describeFile(difference: FileDifference): object {
  const path = `/${textOf(difference.path)}`;
  if (difference.change !== "changed") return { path, change: difference.change, kind: difference.entry.kind };
  const { a, b, aspects } = difference;
  const values = aspects.map((aspect) => [aspect, { a: shownValue(a, aspect), b: shownValue(b, aspect) }]);
  return { path, change: difference.change, what: Object.fromEntries(values) };
}
