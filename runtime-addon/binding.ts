import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TsbuildError } from "./errors.ts";
import type { NativeJob } from "./native-job.ts";
import type { SystemError } from "./system-error.ts";

/** What addon.node exports: `numbers` and `text` are a packed list (message.ts); at most `threads` threads work on a call. */
export interface NativeAddon {
  scan(
    root: string,
    numbers: Float64Array,
    text: Buffer,
    recursive: boolean,
    xattrs: boolean,
    longestPath: number,
    threads: number,
  ): Promise<Buffer>;
  statMany(root: string, numbers: Float64Array, text: Buffer, xattrs: boolean): Promise<Buffer>;
  hashFiles(root: string, numbers: Float64Array, text: Buffer, threads: number): Promise<Buffer>;
  extract(root: string, tar: string, numbers: Float64Array, text: Buffer, owners: boolean, threads: number): Promise<void>;
  setAttributes(root: string, numbers: Float64Array, text: Buffer): Promise<void>;
  removePaths(root: string, numbers: Float64Array, text: Buffer): Promise<void>;
  removeTree(path: string): Promise<void>;
  allocatedBytes(path: string): Promise<{ readonly bytes: number; readonly error?: SystemError }>;
  endProcess(exitCode: number): never;
  syncFileSystem(fd: number): Promise<void>;
  renameNoReplace(from: string, to: string): void;
  /** flock(2), or with `byte` the lock of that one. */
  tryLock(fd: number, operation: number, byte: bigint | undefined): boolean;
  /** Waits on a thread of its own; the answer gives the wait up, after which `settle` is not called. */
  waitLock(fd: number, operation: number, byte: bigint | undefined, settle: (error?: Error) => void): () => void;
  readonly PatternSet: new (patterns: readonly Uint8Array[], breaks: readonly string[], groups: readonly number[]) => NativePatternSet;
  readonly TarReader: new (gzip: boolean) => NativeTarReader;
  readonly TarSink: new (path: string) => NativeTarSink;
  /** Absent, and `gzipFile` with it, where the addon was built without one. */
  readonly gzipLibrary?: string;
  gzipFile(
    from: string,
    to: string,
    level: number,
    blockBytes: number,
    threads: number,
  ): NativeJob<{ readonly plainDigest: Buffer; readonly digest: Buffer; readonly size: number }>;
}

export interface NativeSkimmedTar {
  readonly rest: Buffer;
  readonly contents: Float64Array;
  readonly digests: Buffer;
  readonly plainBytes: number;
  readonly broken?: string;
}

export interface NativeTarReader {
  push(chunks: readonly Uint8Array[]): Promise<NativeSkimmedTar & { readonly more: boolean }>;
  finish(): NativeSkimmedTar & { readonly digest: Buffer };
}

/** Matches are three numbers each: begin, end, index of the pattern. */
export interface NativePatternSet {
  find(text: Uint8Array, last: boolean): { readonly end: number; readonly matches: readonly number[] };
  searchFile(path: string, most: number): NativeJob<readonly number[]>;
  /** Two numbers each: index of the path, index of the pattern. */
  searchFiles(root: string, numbers: Float64Array, text: Buffer, threads: number): NativeJob<readonly number[]>;
}

export interface NativeTarSink {
  write(numbers: Float64Array, text: Buffer, bytes: Buffer, hosts: readonly string[]): NativeJob<Buffer>;
  finish(sync: boolean): Promise<{ readonly digest: Buffer; readonly size: number }>;
  abort(): Promise<void>;
}

// Beside this file in the sources, beside dist/ when it is part of a bundle there.
const OUTPUT_FOLDERS = ["build/Release", "../runtime-addon/build/Release"];

let loaded: NativeAddon | undefined;

/** The native addon, loaded at its first use. Throws ADDON_MISSING, or ADDON_INVALID where this Node cannot load it. */
export function nativeAddon(): NativeAddon {
  if (loaded === undefined) {
    const path = outputPath("addon.node");
    try {
      // What require() does for a .node file, without loading node:module for it.
      const holder = { exports: {} };
      process.dlopen(holder, path);
      loaded = holder.exports as NativeAddon;
    } catch (cause) {
      throw new TsbuildError("ADDON_INVALID", `loading the native addon: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        hint: "npm run build:addon",
      });
    }
  }
  return loaded;
}

/** The path of the sandbox helper. Throws ADDON_MISSING. */
export function helperPath(): string {
  return outputPath("tsb-init");
}

function outputPath(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = OUTPUT_FOLDERS.map((folder) => join(here, folder, name));
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new TsbuildError("ADDON_MISSING", `loading the native addon: ${name} is neither at ${candidates.join(" nor at ")}`, {
    hint: "npm run build:addon",
  });
}
