import { setImmediate as nextTurn } from "node:timers/promises";
import type { FailureContext } from "./http-failure.ts";
import { connectionFailure, slowAnswer } from "./http-failure.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";
import { paced } from "./pace.ts";
import { receivedBody } from "./received-body.ts";
import { sentBody } from "./sent-body.ts";
import type { Dispatcher } from "./undici.ts";

/** A request as it is put on a connection. */
export interface Exchange {
  readonly request: HttpRequest;
  /** The request's URL, with the scheme that is really spoken. */
  readonly url: URL;
  /** Path and query; the whole URL for a proxy that passes plain http on. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly failures: FailureContext;
  /** How long 64 KiB of the answer, or its rest, may be waited for. */
  readonly stallTimeoutMs: number;
}

/** Bodies that nobody wants are read up to here; beyond it a new connection is cheaper. */
const discardBytes = 64 * 1024;

/** Sends one request and waits for the beginning of its answer, which may come before the request's body is out. */
export async function exchange(
  dispatcher: Dispatcher,
  { request, url, path, headers, failures, stallTimeoutMs }: Exchange,
): Promise<HttpResponse> {
  const { method, body, signal } = request;
  // undici takes a connection for busy until the turn after its answer's end: asked at once, it would open another one.
  await nextTurn();
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let controller: Dispatcher.DispatchController | undefined;
    let answered = false;
    let over = false;
    const outgoing = body === undefined || body.sizeBytes === 0 ? undefined : sentBody(body);
    const incoming = receivedBody({
      resume: () => controller?.resume(),
      leave: () => finish(() => controller?.abort(new Error("the answer is not wanted any more"))),
    });
    const finish = (then: () => void) => {
      if (over) return;
      over = true;
      signal?.removeEventListener("abort", onAbort);
      then();
    };
    const onAbort = () =>
      finish(() => {
        incoming.abort(signal?.reason);
        reject(signal?.reason);
        controller?.abort(new Error("cancelled"));
      });
    signal?.addEventListener("abort", onAbort, { once: true });

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (started) => {
        controller = started;
        if (over) started.abort(new Error("cancelled"));
      },
      onResponseStart: (_controller, status, fields) => {
        // 1xx: the answer proper is still to come.
        if (status < 200) return;
        answered = true;
        const bytes = paced(incoming.bytes, stallTimeoutMs, (came, waitedMs) => slowAnswer(came, waitedMs, failures));
        resolve(responseOf(status, url, fields, bytes));
      },
      onResponseData: (receiving, chunk) => {
        if (!incoming.push(chunk)) receiving.pause();
      },
      onResponseEnd: () => finish(incoming.end),
      onResponseError: (_controller, error) =>
        finish(() => {
          const failure = outgoing?.isSourceError(error) ? error : connectionFailure(error, { ...failures, answered });
          incoming.fail(failure);
          reject(failure);
        }),
    };
    dispatcher.dispatch(
      {
        path,
        method,
        headers: { ...headers, ...(body !== undefined && { "content-length": `${body.sizeBytes}` }) },
        // Any iterable is taken; the types know streams alone.
        body: (outgoing?.bytes ?? null) as NonNullable<Dispatcher.DispatchOptions["body"]> | null,
        // Else a connection is given up after each HEAD.
        reset: false,
      },
      handler,
    );
  });
}

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

function responseOf(status: number, url: URL, fields: Fields, body: AsyncIterable<Uint8Array>): HttpResponse {
  const headers = (name: string): readonly string[] => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  return {
    status,
    url,
    headers,
    header: (name) => (headers(name).length === 0 ? undefined : headers(name).join(", ")),
    body,
    discard: () => discard(body),
  };
}

async function discard(body: AsyncIterable<Uint8Array>): Promise<void> {
  let readBytes = 0;
  try {
    for await (const chunk of body) {
      readBytes += chunk.length;
      if (readBytes > discardBytes) return;
    }
  } catch {
    // The answer was not wanted; that it broke off is of no use to anyone.
  }
}
