import { compressionLevels } from "../../store/compressors.ts";
import type { LayerForm } from "../../store/layer-form.ts";
import { UsageError } from "./usage-error.ts";
import { readInteger } from "./values.ts";

export const layerFormFlags = {
  compression: {
    value: "KIND",
    choices: ["gzip", "zstd", "none"],
    help: "What becomes of plain layers of ours; others stay as they are (as they are)",
  },
  "compression-level": { value: "N", help: "Level of --compression: 0 to 9 of gzip, to 22 of zstd (6, 3)" },
  "force-compression": { help: "Write layers anew that have another compression, those of a base too" },
} as const;

interface LayerFormFlags {
  readonly compression?: LayerForm["compression"];
  readonly "compression-level"?: string;
  readonly "force-compression"?: boolean;
}

/** --compression, --compression-level and --force-compression. Throws UsageError. */
export function readLayerForm({ compression = "gzip", ...flags }: LayerFormFlags): LayerForm {
  const level = flags["compression-level"];
  return {
    compression,
    ...(level === undefined ? {} : { compressionLevel: readLevel("--compression-level", level, compression) }),
    forceCompression: flags["force-compression"] ?? false,
  };
}

/** `name` is the flag or the field that the level was given by. */
export function readLevel(name: string, text: string, compression: LayerForm["compression"]): number {
  if (compression === "none") throw new UsageError("INVALID_VALUE", `reading ${name}: "${text}": plain layers have no level`);
  const level = readInteger(name, text, 0);
  const { most } = compressionLevels[compression];
  if (level <= most) return level;
  throw new UsageError("INVALID_VALUE", `reading ${name}: "${text}": ${compression} has the levels 0 to ${most}`);
}
