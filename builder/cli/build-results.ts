import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isSystemError, TsbuildError } from "../../runtime-addon/index.ts";
import type { BuildResult, BuiltImage } from "../options.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

/** Of the build: files that scripts read its result from. */
export const resultFlags = {
  iidfile: {
    value: "FILE",
    named: true,
    help: "Write the image id to this file, of an image for several platforms the digest of its index; of several targets one a line, in their order",
  },
  "metadata-file": {
    value: "FILE",
    named: true,
    help: "Write ids and names of the result to this file, as JSON; of several targets under the names of these",
  },
} as const satisfies FlagTable;

type ResultFlags = FlagValues<typeof resultFlags>;

/** Before hours of building, and not after. Throws UsageError WRITE_FAILED. */
export function refuseUnwritableResults(flags: ResultFlags): void {
  for (const flag of ["iidfile", "metadata-file"] as const) refuseUnwritable(`--${flag}`, flags[flag]);
}

/** File formats as docker buildx writes them. Throws WRITE_FAILED. */
export function writeResults(flags: ResultFlags, { images }: BuildResult): void {
  const [only, ...others] = images;
  const metadata =
    only !== undefined && others.length === 0
      ? metadataOf(only)
      : Object.fromEntries(images.map((image) => [image.target, metadataOf(image)]));
  writeResult("--iidfile", flags.iidfile, images.map(({ imageId }) => imageId).join("\n"));
  writeResult("--metadata-file", flags["metadata-file"], `${JSON.stringify(metadata, undefined, 2)}\n`);
}

/** An index has no config; what went nowhere as an image has neither manifest nor name. */
function metadataOf({ imageId, manifestDigest, names, platforms }: BuiltImage) {
  return {
    ...(platforms === undefined && { "containerimage.config.digest": imageId }),
    ...(manifestDigest !== undefined && { "containerimage.digest": manifestDigest }),
    ...(names.length > 0 && { "image.name": names.join(",") }),
  };
}

function refuseUnwritable(flag: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new UsageError("WRITE_FAILED", `reading ${flag}: ${path} is a directory`);
    accessSync(found === undefined ? dirname(path) : path, constants.W_OK);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new UsageError("WRITE_FAILED", `reading ${flag}: ${path} cannot be written: ${cause.message}`, { cause });
  }
}

function writeResult(flag: string, path: string | undefined, text: string): void {
  if (path === undefined) return;
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new TsbuildError("WRITE_FAILED", `writing the file of ${flag}: ${(cause as Error).message}`, { cause });
  }
}
