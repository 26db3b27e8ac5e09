import { defaultLimits, type PlainLimits } from "./compression.ts";
import { defaultLayerLimits, type LayerLimits } from "./layer/layer-limits.ts";

/** What one layer, or one archive whose files become a layer's, may come to. Their writer pays next to nothing for it, whoever reads them does. */
export interface UnpackLimits extends LayerLimits {
  /** Bytes of its plain tar. */
  readonly plainBytes: number;
}

export const defaultUnpackLimits: UnpackLimits = { ...defaultLayerLimits, plainBytes: defaultLimits.plainBytes };

/** The limits of decompressing that follow. */
export function plainLimitsOf({ plainBytes }: Pick<UnpackLimits, "plainBytes">): PlainLimits {
  return { ...defaultLimits, plainBytes };
}
