import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FakeBehaviour } from "./fake-behaviour.ts";
import type { FakeContent } from "./fake-content.ts";
import type { Route } from "./fake-routes.ts";

/** One request as a server saw it; a fake registry keeps them in the order in which they began. */
export interface SeenRequest {
  /** The registry itself, its token server, or the storage that it redirects to. */
  readonly server: "registry" | "token" | "storage";
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  readonly route: Route;
  /** Bytes of the body that have come so far. */
  bodyBytes: number;
  /** Undefined while it is not answered. */
  status: number | undefined;
}

/** One request being answered. */
export interface Exchange {
  readonly seen: SeenRequest;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly behaviour: Readonly<FakeBehaviour>;
  readonly content: FakeContent;
  /** Origin of the registry, "http://127.0.0.1:1234". */
  readonly origin: string;
  /** Manifests that were sent to somebody so far. */
  sentManifests(): number;
  /** Where redirected blobs are. */
  readonly storageOrigin: string;
}

/** What every way through a handler ends with, so that none forgets to answer: "gone" is a client that went away in the middle. */
export type Answered = "answered" | "gone";

/** Answers; the body is left out for HEAD, its length is not. */
export function send(exchange: Exchange, status: number, headers: OutgoingHttpHeaders = {}, body: Uint8Array | string = ""): Answered {
  const { seen, response, request } = exchange;
  seen.status = status;
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  response.writeHead(status, { ...(status === 204 ? {} : { "content-length": bytes.length }), ...headers });
  response.end(request.method === "HEAD" || status === 204 ? undefined : bytes);
  return "answered";
}

/** An error as the distribution spec's "Error Codes" has it. */
export function sendError(exchange: Exchange, status: number, code: string, message: string, headers: OutgoingHttpHeaders = {}): Answered {
  const body = JSON.stringify({ errors: [{ code, message, detail: {} }] });
  return send(exchange, status, { "content-type": "application/json", ...headers }, body);
}

/** The whole body; undefined when its connection broke. */
export async function readBody(exchange: Exchange, onChunk?: (chunk: Buffer) => void): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of exchange.request) {
      exchange.seen.bodyBytes += chunk.length;
      onChunk?.(chunk);
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}
