import { TsbuildError } from "./errors.ts";
import type { Abortable } from "./file-bytes.ts";
import { defaultGzipLevel, gzipBlocks, gzipCompressor, gzipLibraryInUse } from "./gzip-blocks.ts";
import { mediaTypes } from "./oci.ts";
import type { CompressedFile } from "./zstd-file.ts";
import { defaultZstdLevel, zstdFile, zstdInUse } from "./zstd-file.ts";

/** How a layer's plain tar is compressed. */
export interface LayerCompression {
  readonly kind: "gzip" | "zstd";
  /** Absent: the program's own default. */
  readonly level?: number | undefined;
}

/** The levels that can be asked for; zstd's 0 is its default. */
export const compressionLevels = { gzip: { least: 0, most: 9 }, zstd: { least: 0, most: 22 } } as const;

export interface Compressor {
  /** Program, version, level and form: all that the bytes depend on besides the plain ones. */
  readonly name: string;
  /** OCI's, of a layer in this form. */
  readonly mediaType: string;
  /** Compresses a file into a new one, which is not flushed. Throws system errors and `signal.reason`, and leaves no file then. */
  compress(from: string, to: string, options: Abortable): Promise<CompressedFile>;
}

/** Throws TOOL_MISSING for zstd where there is neither a Node that has it nor the program, INVALID_VALUE for a level that there is not. */
export async function compressorFor({ kind, level }: LayerCompression): Promise<Compressor> {
  if (level !== undefined) checkLevel(kind, level);
  if (kind === "gzip") {
    const library = gzipLibraryInUse();
    return {
      name: gzipCompressor(library, level ?? defaultGzipLevel),
      mediaType: mediaTypes.layerGzip,
      compress: (from, to, options) => gzipBlocks(from, to, { ...options, level: level ?? defaultGzipLevel }, library),
    };
  }
  const zstdLevel = level || defaultZstdLevel;
  const encoder = await zstdInUse();
  return {
    name: `${encoder.name}-${zstdLevel}`,
    mediaType: mediaTypes.layerZstd,
    compress: (from, to, options) => zstdFile(from, to, { ...options, level: zstdLevel, encoder }),
  };
}

export function checkLevel(kind: LayerCompression["kind"], level: number): void {
  const { least, most } = compressionLevels[kind];
  if (Number.isInteger(level) && level >= least && level <= most) return;
  throw new TsbuildError("INVALID_VALUE", `compressing with ${kind}: there is no level ${level}`, {
    hint: `${kind} has the levels ${least} to ${most}`,
  });
}
