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
import { underWay } from "./under-way.ts";

export interface HttpFilesOptions extends Abortable {
  readonly store: Pick<Store, "root" | "tempFile" | "pin">;
  readonly settings: RegistrySettings;
  readonly retrying: Retrying;
  readonly proxy: Readonly<Record<string, string | undefined>>;
  readonly userAgent?: string | undefined;
  /** Hears of each URL once, before its file is handed on; what it throws goes to whoever asked. */
  readonly onResolved?: ((url: string, digest: string) => void) | undefined;
  readonly onNote?: ((message: string) => void) | undefined;
}

export interface HttpFiles {
  /** As RemoteSources.http. */
  fetch(source: HttpSource): Promise<FetchedFile>;
  close(): Promise<void>;
}

/**
 * Files of the web, each URL asked for once; what an earlier build downloaded is asked about by its ETag or Last-Modified, and where its digest is what the checksum says, nobody is
 * asked at all.
 */
export function openHttpFiles(options: HttpFilesOptions): HttpFiles {
  const { store, settings, retrying, proxy, userAgent, signal, onResolved } = options;
  const http: Http = openHttp({ settings, proxy, ...(userAgent !== undefined && { userAgent }) });
  const slotsOf = slotsOfServers(settings.parallel);
  const downloads = openDownloads(store);
  const once = onceEach<FetchedFile>();
  const work = underWay();

  const get = async (url: URL, known: DownloadRecord | undefined, doing: string, stop: AbortSignal): Promise<FetchedFile> => {
    const leave = await slotsOf(url).download.take({ signal: stop });
    try {
      for (let wanted = known; ; wanted = undefined) {
        const temp = await store.tempFile("download");
        const onRetry = (message: string) => options.onNote?.(`${doing}: ${message}`);
        const came = await download(url, temp, { http, retrying, settings, known: validatorsOf(wanted), signal: stop, onRetry });
        if (came !== undefined) return fetchedFile(await downloads.keep(url.href, temp, came), came);
        const path = wanted && downloads.find(wanted);
        if (wanted !== undefined && path !== undefined) return fetchedFile(path, wanted);
        // It has gone since we asked about it.
      }
    } finally {
      leave();
    }
  };

  return {
    async fetch(source) {
      const doing = `downloading ${publicUrl(source.url)}`;
      const fetched = await once(
        source.url,
        async (stop) => {
          const known = await downloads.record(source.url);
          const here = known !== undefined && known.digest === source.checksum ? downloads.find(known) : undefined;
          const file =
            known !== undefined && here !== undefined
              ? fetchedFile(here, known)
              : await work.watch(get(new URL(source.url), known, doing, stop)).catch((error: unknown) => {
                  throw fetchError(error, doing, "FETCH_FAILED");
                });
          onResolved?.(source.url, file.digest);
          return file;
        },
        { signal },
      );
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

/** Without any of them there is nothing to ask by. */
function validatorsOf(known: DownloadRecord | undefined): DownloadRecord | undefined {
  return known?.etag === undefined && known?.lastModified === undefined ? undefined : known;
}

function fetchedFile(path: string, { digest, size, lastModified }: Downloaded): FetchedFile {
  const seconds = lastModified === undefined ? undefined : parseHttpDate(lastModified);
  return { digest, size, path, ...(seconds !== undefined && { lastModified: seconds }) };
}
