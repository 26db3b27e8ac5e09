import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";

/** What a layer may cost whoever reads it, as an entry of a compressed tar costs its writer next to nothing. */
export interface LayerLimits {
  readonly entries: number;
  /** Bytes of paths, of link targets, of extended attributes, and of the directories that the paths lead through. */
  readonly nameBytes: number;
}

/** Together some 1 GB of memory, with the tree that is written of them. Layers of large images have a fifth of it. */
export const defaultLayerLimits: LayerLimits = { entries: 500_000, nameBytes: 64 * 2 ** 20 };

/** Counts what a tar costs whoever reads it. Its methods throw TOO_LARGE at the limits. */
export interface LayerMeter {
  entry(path: ByteString, where: string, target?: ByteString, attributes?: Partial<Attributes>): void;
  names(bytes: number, where: string): void;
}

export function layerMeter(limits: LayerLimits = defaultLayerLimits): LayerMeter {
  let entries = 0;
  let nameBytes = 0;
  const meter: LayerMeter = {
    entry(path, where, target = "" as ByteString, attributes = {}) {
      entries += 1;
      if (entries > limits.entries) throw new TsbuildError("TOO_LARGE", `${where}: more than ${limits.entries} entries`);
      meter.names(path.length + target.length + xattrBytes(attributes), where);
    },
    names(bytes, where) {
      nameBytes += bytes;
      if (nameBytes > limits.nameBytes) throw new TsbuildError("TOO_LARGE", `${where}: names of more than ${limits.nameBytes} bytes`);
    },
  };
  return meter;
}

export function xattrBytes({ xattrs }: Partial<Attributes>): number {
  let bytes = 0;
  if (xattrs !== undefined) for (const [name, value] of Object.entries(xattrs)) bytes += name.length + value.length;
  return bytes;
}
