import { compressionLevels } from "../../store/compressors.ts";
import type { LayerForm } from "../../store/layer-form.ts";
import { UsageError } from "./usage-error.ts";
import { readInteger } from "./values.ts";

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
