import { createHash } from "node:crypto";
import { readFileSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bytesOf, FileChangedError, hashFiles, isSystemError } from "../../runtime-addon/index.ts";
import { syncFile, writeCacheFile } from "../../store/atomic-file.ts";
import { type Digest, digestFromBytes, hexOf, isDigest } from "../../store/digest.ts";
import { markUsed } from "../../store/last-use.ts";
import { makeDirectories } from "../../store/make-directories.ts";
import type { Store } from "../../store/store.ts";
import { storePaths } from "../../store/store-paths.ts";

/** What is known of a URL since it was last downloaded. */
export interface DownloadRecord {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** As the server wrote them. */
  readonly etag?: string;
  readonly lastModified?: string;
}

/** Files of the web by their content, and what URLs meant: a cache, in which nothing need be. */
export interface Downloads {
  /**
   * Where this content is, which is used now, all of it having been read and hashed; undefined when it is not here, or has been damaged. It stays only where its digest was pinned
   * before.
   */
  find(content: Pick<DownloadRecord, "digest" | "size">): Promise<string | undefined>;
  /** Of a file that is still here, as far as its size tells, and is pinned from then on. */
  record(url: string): Promise<DownloadRecord | undefined>;
  /** Takes over a finished temp file and writes down what its URL meant; answers where it is now. */
  keep(url: string, temp: string, record: DownloadRecord): Promise<string>;
}

/** v1/downloads/<aa>/<hex> by content; v1/downloads/urls/<aa>/<sha256 of the URL>: no URL can be read there. */
export function openDownloads(store: Pick<Store, "root" | "tempFile" | "pin">): Downloads {
  const folder = storePaths.downloads(store.root);
  const contentPath = (digest: Digest) => fanned(folder, hexOf(digest));
  const recordPath = (url: string) => fanned(join(folder, "urls"), createHash("sha256").update(url).digest("hex"));

  const isHere = ({ digest, size }: Pick<DownloadRecord, "digest" | "size">) =>
    statSync(contentPath(digest), { throwIfNoEntry: false })?.size === size;

  return {
    async find(content) {
      const path = contentPath(content.digest);
      if (!isHere(content) || (await hashOf(path)) !== content.digest) return undefined;
      markUsed(path);
      return path;
    },
    async record(url) {
      const record = readRecord(recordPath(url));
      if (record === undefined) return undefined;
      await store.pin(record.digest);
      return isHere(record) ? record : undefined;
    },
    async keep(url, temp, record) {
      const path = contentPath(record.digest);
      await store.pin(record.digest);
      await syncFile(temp);
      renameInto(temp, path);
      await writeCacheFile(() => store.tempFile("record"), recordPath(url), Buffer.from(JSON.stringify(record)));
      return path;
    },
  };
}

function fanned(folder: string, hex: string): string {
  return join(folder, hex.slice(0, 2), hex);
}

/** Undefined where it is gone or changes meanwhile. */
async function hashOf(path: string): Promise<Digest | undefined> {
  try {
    return digestFromBytes(await hashFiles(dirname(path), [bytesOf(basename(path))]));
  } catch (error) {
    if (error instanceof FileChangedError || isSystemError(error, "ENOENT", "ELOOP")) return undefined;
    throw error;
  }
}

function renameInto(temp: string, path: string): void {
  try {
    renameSync(temp, path);
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    makeDirectories(dirname(path), 0o700);
    renameSync(temp, path);
  }
}

/** One that a crash left torn counts as none. */
function readRecord(path: string): DownloadRecord | undefined {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  const { digest, size, etag, lastModified } = value;
  if (typeof digest !== "string" || !isDigest(digest) || typeof size !== "number") return undefined;
  return {
    digest,
    size,
    ...(typeof etag === "string" && { etag }),
    ...(typeof lastModified === "string" && { lastModified }),
  };
}
