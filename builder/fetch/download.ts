import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type Digest, digestFromBytes } from "../../store/digest.ts";
import { discardFile } from "../../store/discard.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Abortable } from "../../store/file-bytes.ts";
import type { Http, HttpResponse } from "../../store/registry/http.ts";
import { progressBytes } from "../../store/registry/pace.ts";
import { RegistryError } from "../../store/registry/registry-error.ts";
import type { Retrying, Try } from "../../store/registry/retry.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";
import { refuseWithoutRoom } from "../../store/room.ts";
import { httpGet } from "./http-get.ts";

/** What a server said of a file's version, as it wrote it. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export interface DownloadOptions extends Abortable {
  readonly http: Http;
  readonly retrying: Retrying;
  readonly settings: Pick<RegistrySettings, "hosts" | "maxDownloadBytes">;
  /** The store in which `path` is. */
  readonly root: string;
  /** Of the version that is here; absent: whatever there is is wanted. */
  readonly known?: Validators | undefined;
  readonly onRetry?: ((message: string) => void) | undefined;
  /** As GetOptions.authorization. */
  readonly authorization?: string | undefined;
}

/** A finished file and its server's word on it. */
export interface Downloaded extends Validators {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * The file behind a URL, written to a new file at `path`; undefined, and no file, where the server says that the known version is still the one. Goes on where a connection broke if
 * the server lets it, else from the beginning. Throws as httpGet, TOO_LARGE, STORE_FULL, and system errors; then there is no file.
 */
export async function download(url: URL, path: string, options: DownloadOptions): Promise<Downloaded | undefined> {
  const file = await open(path, "wx", 0o644);
  let whole = false;
  try {
    const transfer = openTransfer(url, file, options);
    const downloaded = await options.retrying(transfer, { signal: options.signal, onRetry: options.onRetry });
    whole = downloaded !== undefined;
    return downloaded;
  } finally {
    await file.close();
    if (!whole) discardFile(path);
  }
}

/** The work of one try; what the tries before it brought is kept between them. */
function openTransfer(url: URL, file: FileHandle, options: DownloadOptions): (attempt: Try) => Promise<Downloaded | undefined> {
  const { http, settings, known, root, signal, authorization } = options;
  let hash = createHash("sha256");
  let offset = 0;
  let validators: Validators = {};

  const restart = async () => {
    hash = createHash("sha256");
    offset = 0;
    await file.truncate(0);
  };

  const ask = async (): Promise<HttpResponse | undefined> => {
    const condition = rangeCondition(validators);
    if (offset > 0 && condition !== undefined) {
      const headers = { ...identity, range: `bytes=${offset}-`, "if-range": condition };
      const response = await httpGet(http, url, { headers, authorization, expect: [416], settings, signal });
      if (response.status === 206 && rangeBegin(response) === offset) return response;
      await restart();
      if (response.status !== 206 && response.status !== 416) return response;
      await response.discard();
    } else {
      await restart();
    }
    const response = await httpGet(http, url, {
      headers: { ...identity, ...conditions(known) },
      authorization,
      expect: known === undefined ? [] : [304],
      settings,
      signal,
    });
    if (response.status !== 206 && !isKnown(response, known)) return response;
    await response.discard();
    if (response.status === 206)
      throw new RegistryError("REGISTRY_PROTOCOL", `${response.url.host} answers with a part that nobody asked for`);
    return undefined;
  };

  return async ({ progressed }) => {
    const response = await ask();
    if (response === undefined) return undefined;
    if (response.status !== 206) validators = validatorsOf(response);
    const total = totalBytes(response);
    if (total !== undefined) {
      try {
        if (total > settings.maxDownloadBytes) throw tooLarge(url, total, settings);
        refuseWithoutRoom(root, total - offset, `${response.url.host} sends a file`);
      } catch (error) {
        await response.discard();
        throw error;
      }
    }
    const resumable = rangeCondition(validators) !== undefined;
    let movedBytes = 0;
    for await (const chunk of response.body) {
      if (offset + chunk.length > settings.maxDownloadBytes) throw tooLarge(url, offset + chunk.length, settings);
      await writeAll(file, chunk, offset);
      hash.update(chunk);
      offset += chunk.length;
      movedBytes += chunk.length;
      if (resumable && movedBytes >= progressBytes) {
        movedBytes = 0;
        progressed();
      }
    }
    if (total !== undefined && offset !== total) throw endedEarly(response, offset, total);
    return { digest: digestFromBytes(hash.digest()), size: offset, ...validators };
  };
}

/** Compression on the way would change the bytes; what comes compressed all the same is taken as the file. */
const identity = { "accept-encoding": "identity" };

function validatorsOf(response: HttpResponse): Validators {
  const etag = response.header("etag");
  const lastModified = response.header("last-modified");
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}

/** Of the parts of one version: only a strong validator names the very bytes (RFC 9110 §13.1.5). */
function rangeCondition({ etag, lastModified }: Validators): string | undefined {
  return etag === undefined ? lastModified : isStrong(etag) ? etag : undefined;
}

function isStrong(etag: string): boolean {
  return etag.startsWith('"');
}

function conditions(known: Validators | undefined): Readonly<Record<string, string>> {
  return {
    ...(known?.etag !== undefined && { "if-none-match": known.etag }),
    ...(known?.lastModified !== undefined && { "if-modified-since": known.lastModified }),
  };
}

/** Some servers send all of it again with the very tag that they were asked about. */
function isKnown(response: HttpResponse, known: Validators | undefined): boolean {
  if (known === undefined) return false;
  return response.status === 304 || (known.etag !== undefined && isStrong(known.etag) && response.header("etag") === known.etag);
}

function rangeBegin(response: HttpResponse): number | undefined {
  const [, first] = contentRange(response);
  return first === undefined ? undefined : Number(first);
}

/** Of the whole file, where the answer says so. */
function totalBytes(response: HttpResponse): number | undefined {
  const text = response.status === 206 ? contentRange(response)[2] : response.header("content-length");
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function contentRange(response: HttpResponse): readonly (string | undefined)[] {
  return /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header("content-range")?.trim() ?? "") ?? [];
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await file.write(chunk, written, chunk.length - written, position + written)).bytesWritten;
  }
}

function endedEarly(response: HttpResponse, offset: number, total: number): RegistryError {
  return new RegistryError("REGISTRY_UNREACHABLE", `${response.url.host}: the answer ended after ${offset} of ${total} bytes`, {
    retryable: true,
  });
}

function tooLarge(url: URL, size: number, { maxDownloadBytes }: Pick<RegistrySettings, "maxDownloadBytes">): TsbuildError {
  return new TsbuildError("TOO_LARGE", `${url.host} sends ${size} bytes or more, more than the ${maxDownloadBytes} allowed`, {
    hint: "the limit is max_download_mib under [registry] in tsbuild.toml",
  });
}
