import { createHash } from "node:crypto";
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { type Digest, digestFromBytes } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import { type Abortable, fileBytes } from "./file-bytes.ts";
import { throughStream } from "./stream-filter.ts";
import { writeStream } from "./tee-file.ts";
import { startTool, throughTool } from "./tool-filter.ts";

export const defaultZstdLevel = 3;

export interface CompressedFile {
  /** Of the plain bytes, as they were read. */
  readonly plainDigest: Digest;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What compresses here, and its name with its version. */
export interface ZstdEncoder {
  readonly kind: "node" | "tool";
  readonly name: string;
}

export interface ZstdFileOptions extends Abortable {
  /** 1 to 22. */
  readonly level: number;
  readonly encoder: ZstdEncoder;
}

/** What Node ≥ 22.15 has besides what its types of 20 tell. */
interface ZstdLibrary {
  readonly createZstdCompress?: (options: { readonly chunkSize: number; readonly params: Readonly<Record<number, number>> }) => Transform;
  readonly constants: { readonly ZSTD_c_compressionLevel?: number };
}

const library = zlib as unknown as ZstdLibrary;

/**
 * The program `zstd`, which uses all processors, else node:zlib's own encoder. Both write the same bytes whatever the number of processors is. Throws
 * TOOL_MISSING where there is neither.
 */
export async function zstdInUse(allowed: readonly ZstdEncoder["kind"][] = ["tool", "node"]): Promise<ZstdEncoder> {
  const version = allowed.includes("tool") ? await toolVersion() : undefined;
  if (version !== undefined) return { kind: "tool", name: `zstd-${version}-jobs` };
  const own = (process.versions as { readonly zstd?: string }).zstd;
  if (allowed.includes("node") && library.createZstdCompress !== undefined) return { kind: "node", name: `zstd-${own}-node` };
  throw new TsbuildError("TOOL_MISSING", "compressing: zstd needs the program zstd, which is not installed", {
    hint: "apt-get install zstd, or Node 22.15 or later",
  });
}

/** Compresses a file into a new one at `to`, which is not flushed. Throws system errors and `signal.reason`, and leaves no file then. */
export async function zstdFile(from: string, to: string, { level, encoder, signal }: ZstdFileOptions): Promise<CompressedFile> {
  const plain = createHash("sha256");
  const bytes = hashed(fileBytes(from, { signal }), plain);
  const written = await writeStream(encoder.kind === "tool" ? byTool(bytes, level) : byNode(bytes, level), to, { sync: false, signal });
  return { plainDigest: digestFromBytes(plain.digest()), ...written };
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function byNode(chunks: AsyncIterable<Uint8Array>, level: number): AsyncIterable<Uint8Array> {
  const { createZstdCompress, constants } = library;
  if (createZstdCompress === undefined || constants.ZSTD_c_compressionLevel === undefined) throw new RangeError("this Node has no zstd");
  return throughStream(
    chunks,
    createZstdCompress({ chunkSize: 256 * 1024, params: { [constants.ZSTD_c_compressionLevel]: level } }),
    "zstd",
  );
}

async function* byTool(chunks: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array, void, undefined> {
  // Cut into jobs of a size that depends on the level alone, however many threads there are.
  const tool = await startTool("zstd", ["-q", "-c", "-T0", "--ultra", `-${level}`]);
  if (tool === undefined) throw new TsbuildError("TOOL_MISSING", "compressing: the program zstd is gone", { hint: "apt-get install zstd" });
  yield* throughTool(
    chunks,
    tool,
    "zstd",
    (cause) => new TsbuildError("WRITE_FAILED", `compressing with zstd: ${cause.message}`, { cause }),
  );
}

let version: Promise<string | undefined> | undefined;

function toolVersion(): Promise<string | undefined> {
  version ??= readVersion();
  return version;
}

async function readVersion(): Promise<string | undefined> {
  const tool = await startTool("zstd", ["--version"]);
  if (tool === undefined) return undefined;
  let said = "";
  for await (const chunk of throughTool(nothing(), tool, "zstd")) said += Buffer.from(chunk).toString("latin1");
  return /\bv?(\d+\.\d+\.\d+)\b/.exec(said)?.[1];
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
