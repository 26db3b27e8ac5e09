import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { parentPath } from "./entry-path.ts";

/** What a layer may cost whoever reads it, as an entry of a compressed tar costs its writer next to nothing. */
export interface LayerLimits {
  readonly entries: number;
  /** Bytes of paths, of link targets, of extended attributes, and of the directories that the paths lead through. */
  readonly nameBytes: number;
}

/** Layers of large images have a tenth of it. The same limits hold for layers that are written: what one made here can be read here. */
export const defaultLayerLimits: LayerLimits = { entries: 1_200_000, nameBytes: 192 * 2 ** 20 };
export const hintOf = (setting: string) => `make it of several layers, or raise ${setting} under [store] in tsbuild.toml`;

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
      if (entries > limits.entries) {
        throw new TsbuildError("TOO_LARGE", `${where}: more than ${limits.entries} entries`, { hint: hintOf("max_layer_entries") });
      }
      meter.names(path.length + target.length + xattrBytes(attributes), where);
    },
    names(bytes, where) {
      nameBytes += bytes;
      if (nameBytes > limits.nameBytes) {
        throw new TsbuildError("TOO_LARGE", `${where}: names of more than ${limits.nameBytes} bytes`, { hint: hintOf("max_layer_names") });
      }
    },
  };
  return meter;
}

/** Counts what is to be written at least as high as its reader will, who walks through the directories of each path. */
export function writtenLayerMeter(limits: LayerLimits = defaultLayerLimits): Pick<LayerMeter, "entry"> {
  const meter = layerMeter(limits);
  const directories = new Set<ByteString>();
  return {
    entry(path, where, target, attributes = {}) {
      meter.entry(path, where, target, attributes);
      // A hard link has its file's, and is counted with them twice.
      meter.names(xattrBytes(attributes), where);
      for (let directory = parentPath(path); directory !== "" && !directories.has(directory); directory = parentPath(directory)) {
        directories.add(directory);
        meter.names(directory.length, where);
      }
    },
  };
}

export function xattrBytes({ xattrs }: Partial<Attributes>): number {
  let bytes = 0;
  if (xattrs !== undefined) for (const [name, value] of Object.entries(xattrs)) bytes += name.length + value.length;
  return bytes;
}
