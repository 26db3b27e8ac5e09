import { openDisplay } from "../progress/display.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { Rebuild } from "../rebuild.ts";
import { buildFlags, readBuild } from "./build.ts";
import { resultFlags } from "./build-results.ts";
import { callFlags } from "./call-flags.ts";
import type { CliIo } from "./cli-io.ts";
import { configLine, describeFile, fileLine } from "./difference-text.ts";
import { dryRunFlags } from "./dry-run-output.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { storeFlags } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";

/** What a build is told of where its image goes, and of its cache: nothing that a rebuild has. */
const delivery = ["tag", "output", "push", "load", "annotation", "quiet", "no-cache", "no-cache-filter"] as const;
const others = { ...resultFlags, ...callFlags, ...dryRunFlags, ...formatFlags, ...storeFlags };
type NotOfRebuilds = (typeof delivery)[number] | keyof typeof others;
const notOfRebuilds: ReadonlySet<string> = new Set([...delivery, ...Object.keys(others)]);

const ofBuilds = Object.fromEntries(Object.entries(buildFlags).filter(([name]) => !notOfRebuilds.has(name))) as Omit<
  typeof buildFlags,
  NotOfRebuilds
>;

/** Of verify: the image, and how it was built. */
export const rebuildFlags = {
  rebuild: {
    value: "IMAGE",
    help: "Build this image once more from CONTEXT (.), without cache, and name the first file that differs and the step that made it; the other flags are those that it was built with",
  },
  ...ofBuilds,
} as const satisfies FlagTable;

type RebuildFlags = FlagValues<typeof rebuildFlags & typeof formatFlags & typeof storeFlags>;

/** The image to build again; undefined where the store is to be read. Throws UsageError where flags or a context are for the other one of the two. */
export function readRebuild(
  { rebuild, ...flags }: RebuildFlags & { readonly repair?: boolean },
  [context]: readonly string[],
): string | undefined {
  if (rebuild !== undefined && flags.repair === true) {
    throw new UsageError("INVALID_VALUE", "reading the command line: --rebuild and --repair cannot be done at once");
  }
  if (rebuild === "") throw new UsageError("INVALID_VALUE", "reading --rebuild: the name of the image is empty");
  const given = Object.keys(flags).find((name) => name in ofBuilds);
  const inVain = given === undefined ? context : `--${given}`;
  if (rebuild !== undefined || inVain === undefined) return rebuild;
  throw new UsageError("WRONG_OPERANDS", `reading the command line: ${inVain} says how an image was built, and none is named`, {
    hint: "name it: --rebuild IMAGE",
  });
}

/** Exit code 0: the same image; 1: another one. */
export async function verifyRebuild(
  name: string,
  call: { readonly flags: RebuildFlags; readonly context: string; readonly argv: readonly string[] },
  io: CliIo,
): Promise<number> {
  const { options, settings } = await readBuild(call, io);
  const display = openDisplay(call.flags.progress ?? settings.progress ?? "auto", { env: io.env, stdout: io.stderr, stderr: io.stderr });
  const { rebuild } = await import("../builds.ts");
  const result = await rebuild(name, { ...options, onEvent: display.onEvent }).finally(display.close);
  io.stdout.write(call.flags.format === "json" ? formatJson(describe(name, result)) : `${lines(name, result).join("\n")}\n`);
  return result.difference === undefined ? 0 : 1;
}

function lines(name: string, { imageId, rebuiltId, isDated, difference, step }: Rebuild): readonly string[] {
  if (difference === undefined) return [`${name}: the same image ${imageId}`];
  const about: string[] = [];
  if (difference.of === "layer") {
    const { layer, a = "none", b = "none", file } = difference;
    about.push(
      `layer ${layer + 1} differs: ${a} → ${b}`,
      `made by: ${step === undefined ? "the base image" : `${step.title} (line ${step.range.start.line})`}`,
    );
    if (file !== undefined) about.push(fileLine(file));
    else if (difference.a !== undefined && difference.b !== undefined) about.push("its files are the same, otherwise written");
  } else if (difference.of === "config")
    about.push("the layers are the same, the configuration differs", ...difference.fields.map(configLine));
  else about.push("layers and configuration are the same, how and when they were made is told otherwise");
  const hint = isDated ? [] : ["hint: the image has no time of its own: build it with --source-date-epoch"];
  return [`${name}: another image: ${imageId} → ${rebuiltId}`, ...about.map((line) => harmless(line, { colors: false })), ...hint];
}

function describe(image: string, { imageId, rebuiltId, difference, step }: Rebuild): object {
  const told =
    difference?.of === "layer" && difference.file !== undefined ? { ...difference, file: describeFile(difference.file) } : difference;
  const by = step === undefined ? {} : { step: { title: step.title, line: step.range.start.line } };
  return { image, imageId, rebuiltId, same: difference === undefined, ...(told === undefined ? {} : { difference: told }), ...by };
}
