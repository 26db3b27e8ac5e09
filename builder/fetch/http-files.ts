import { TsbuildError } from "../../store/errors.ts";
import type { Abortable } from "../../store/file-bytes.ts";
import { type Http, openHttp } from "../../store/registry/http.ts";
import type { Retrying } from "../../store/registry/retry.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";
import { onceEach } from "../../store/registry/single-flight.ts";
import { slotsOfServers } from "../../store/registry/slots.ts";
import type { Store } from "../../store/store.ts";
import type { HttpSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { type Downloaded, download } from "./download.ts";
import { type DownloadRecord, openDownloads } from "./downloads.ts";
import { checksumMismatch, fetchError } from "./fetch-error.ts";
import { parseHttpDate } from "./http-date.ts";
import type { FetchedFile } from "./remote-sources.ts";
import type { SourceCredentials } from "./source-credentials.ts";
import { underWay } from "./under-way.ts";

export interface HttpFilesOptions extends Abortable {
  readonly store: Pick<Store, "root" | "tempFile" | "pin">;
  readonly settings: RegistrySettings;
  readonly retrying: Retrying;
  readonly proxy: Readonly<Record<string, string | undefined>>;
  readonly userAgent?: string | undefined;
  /** Hears of each URL (with each checksum) once, before its file is handed on; what it throws goes to whoever asked. */
  readonly onResolved?: ((url: string, digest: string) => void) | undefined;
  readonly onNote?: ((message: string) => void) | undefined;
  readonly credentials?: SourceCredentials | undefined;
}

export interface HttpFiles {
  /** As RemoteSources.http. */
  fetch(source: HttpSource): Promise<FetchedFile>;
  close(): Promise<void>;
}

/**
 * Files of the web, each URL asked for once (with each checksum). What an earlier build downloaded is asked about by its ETag or Last-Modified. Where a checksum is given, nobody is
 * asked if what is here has it, and else all of the file is: what a server once said of another version must not keep the right one away for ever. The same holds where the lock
 * says otherwise. None of that depends on whether steps are cached or images pulled: --no-cache and --pull are about those.
 */
export function openHttpFiles(options: HttpFilesOptions): HttpFiles {
  const { store, settings, retrying, proxy, userAgent, signal, onResolved } = options;
  const http: Http = openHttp({ settings, proxy, ...(userAgent !== undefined && { userAgent }) });
  const slotsOf = slotsOfServers(settings.parallel);
  const downloads = openDownloads(store);
  const once = onceEach<FetchedFile>();
  const work = underWay();

  /** All of the file, or, if `known` is given, the server's word that it is that one. */
  const get = async (url: URL, known: DownloadRecord | undefined, doing: string, stop: AbortSignal): Promise<Got> => {
    const leave = await slotsOf(url).download.take({ signal: stop });
    try {
      for (let wanted = known; ; wanted = undefined) {
        const temp = await store.tempFile("download");
        const onRetry = (message: string) => options.onNote?.(`${doing}: ${message}`);
        const came = await download(url, temp, {
          http,
          retrying,
          settings,
          known: validatorsOf(wanted),
          root: store.root,
          signal: stop,
          onRetry,
          authorization: (await options.credentials?.http(url))?.header,
        });
        if (came !== undefined) return { file: fetchedFile(await downloads.keep(url.href, temp, came), came), isNew: true };
        const path = wanted && (await downloads.find(wanted));
        if (wanted !== undefined && path !== undefined) return { file: fetchedFile(path, wanted), isNew: false };
        // It has gone since we asked about it, or is not what it was.
      }
    } catch (error) {
      throw fetchError(error, doing, "FETCH_FAILED");
    } finally {
      leave();
    }
  };

  /** As the checksum says it is here already, or from the server; heard of by onResolved. */
  const resolve = async ({ url, checksum }: HttpSource, doing: string, stop: AbortSignal): Promise<FetchedFile> => {
    const known = await downloads.record(url);
    const fits = known !== undefined && known.digest === checksum;
    const path = fits ? await downloads.find(known) : undefined;
    const asked = new URL(url);
    const got: Got =
      fits && path !== undefined
        ? { file: fetchedFile(path, known), isNew: true }
        : await get(asked, checksum === undefined ? known : undefined, doing, stop);
    try {
      onResolved?.(url, got.file.digest);
      return got.file;
    } catch (error) {
      if (got.isNew || !(error instanceof TsbuildError) || error.code !== "LOCK_DRIFT") throw error;
    }
    const { file } = await get(asked, undefined, doing, stop);
    onResolved?.(url, file.digest);
    return file;
  };

  return {
    async fetch(source) {
      const doing = `downloading ${publicUrl(source.url)}`;
      const key = JSON.stringify([source.url, source.checksum]);
      const fetched = await once(key, (stop) => work.watch(resolve(source, doing, stop)), { signal });
      if (source.checksum !== undefined && source.checksum !== fetched.digest) {
        throw checksumMismatch(doing, source.checksum, fetched.digest, "the file has changed, or the checksum is another file's");
      }
      return fetched;
    },
    async close() {
      await http.close();
      await work.over();
    },
  };
}

interface Got {
  readonly file: FetchedFile;
  /** False where the server said of an older download that it is still the file. */
  readonly isNew: boolean;
}

/** Without any of them there is nothing to ask by. */
function validatorsOf(known: DownloadRecord | undefined): DownloadRecord | undefined {
  return known?.etag === undefined && known?.lastModified === undefined ? undefined : known;
}

function fetchedFile(path: string, { digest, size, lastModified }: Downloaded): FetchedFile {
  const seconds = lastModified === undefined ? undefined : parseHttpDate(lastModified);
  return { digest, size, path, ...(seconds !== undefined && { lastModified: seconds }) };
}
