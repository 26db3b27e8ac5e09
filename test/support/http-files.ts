import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { closeServer, listenLocally } from "./registry/local-server.ts";

/** What is behind one path, and how it is handed out. */
export interface ServedFile {
  readonly body?: string | Uint8Array;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Range is honoured (with If-Range); absent: true. */
  readonly ranges?: boolean;
  /** If-None-Match and If-Modified-Since are honoured; absent: true. */
  readonly conditional?: boolean;
  /** Of one answer after the other: how many bytes of it come before the connection breaks. When the list is empty, all come. */
  readonly cuts?: readonly number[];
  /** Statuses of the first answers, in place of the file. */
  readonly failures?: readonly number[];
  /** Further headers; of a failure too. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Location of a redirect, 302 unless `status` says otherwise. */
  readonly location?: string;
  readonly status?: number;
  /** The length is not told: the answer comes in chunks. */
  readonly chunked?: boolean;
  /** Nothing is ever answered. */
  readonly silent?: boolean;
}

/** A web server of files on the loopback interface. */
export interface HttpFiles {
  readonly host: string;
  /** "http://127.0.0.1:PORT/path", or "https:…". */
  url(path: string): string;
  /** Begins at "/"; a query is part of it only where it is given. */
  serve(path: string, file: ServedFile | string): void;
  /** "GET /path", with the headers that ask for a part or a condition: "GET /a range=bytes=5- if-none-match="x"". */
  readonly requests: string[];
  /** The headers of the last request. */
  lastHeaders(): IncomingMessage["headers"];
  /** Resolves when this many requests have come. */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

/** `tls`: PEM texts of a certificate for 127.0.0.1 and its key. Absent: plain http. */
export async function startHttpFiles(tls?: { readonly cert: string; readonly key: string }): Promise<HttpFiles> {
  const files = new Map<string, ServedFile>();
  const answered = new Map<string, number>();
  const requests: string[] = [];
  const waiting = new Set<() => void>();
  let headers: IncomingMessage["headers"] = {};

  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "";
    requests.push(requestLine(request));
    headers = request.headers;
    for (const look of waiting) look();
    const file = files.get(path) ?? files.get(path.replace(/\?.*$/, ""));
    const count = answered.get(path) ?? 0;
    answered.set(path, count + 1);
    if (file === undefined) response.writeHead(404).end("not here");
    else answer(file, count, request, response);
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  const port = await listenLocally(server);
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: (path) => `${tls === undefined ? "http" : "https"}://${host}${path}`,
    serve(path, file) {
      files.set(path, typeof file === "string" ? { body: file } : file);
      answered.delete(path);
    },
    requests,
    lastHeaders: () => headers,
    arrived: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (requests.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: () => closeServer(server),
  };
}

function requestLine({ method, url, headers }: IncomingMessage): string {
  const told = ["range", "if-range", "if-none-match", "if-modified-since"].flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return [method, url, ...told].join(" ");
}

function answer(file: ServedFile, count: number, request: IncomingMessage, response: ServerResponse): void {
  if (file.silent === true) return;
  const failure = file.failures?.[count];
  if (failure !== undefined) {
    response.writeHead(failure, file.headers).end("sorry");
    return;
  }
  if (file.location !== undefined) {
    response.writeHead(file.status ?? 302, { ...file.headers, location: file.location }).end("elsewhere");
    return;
  }
  const validators = {
    ...(file.etag !== undefined && { etag: file.etag }),
    ...(file.lastModified !== undefined && { "last-modified": file.lastModified }),
  };
  if (file.conditional !== false && isUnchanged(file, request)) {
    response.writeHead(304, validators).end();
    return;
  }
  const body = Buffer.from(file.body ?? "");
  const begin = file.ranges === false ? 0 : beginOf(file, request);
  if (begin > body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const part = body.subarray(begin);
  const cut = file.cuts?.[count - (file.failures?.length ?? 0)];
  response.writeHead(begin > 0 ? 206 : (file.status ?? 200), {
    ...validators,
    ...(begin > 0 && { "content-range": `bytes ${begin}-${body.length - 1}/${body.length}` }),
    ...(file.chunked !== true && { "content-length": `${part.length}` }),
    ...file.headers,
  });
  if (cut === undefined) response.end(part);
  else response.write(part.subarray(0, cut), () => response.destroy());
}

function isUnchanged(file: ServedFile, { headers }: IncomingMessage): boolean {
  if (headers["if-none-match"] !== undefined) return headers["if-none-match"] === file.etag;
  return file.lastModified !== undefined && headers["if-modified-since"] === file.lastModified;
}

function beginOf(file: ServedFile, { headers }: IncomingMessage): number {
  const [, begin] = /^bytes=(\d+)-$/.exec(headers.range ?? "") ?? [];
  const condition = headers["if-range"];
  if (begin === undefined || (condition !== undefined && condition !== file.etag && condition !== file.lastModified)) return 0;
  return Number(begin);
}
