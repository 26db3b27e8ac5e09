import type { Abortable } from "../file-bytes.ts";

/** What a request sends; opened anew for each try. */
export interface HttpBody {
  readonly sizeBytes: number;
  /** Exactly `sizeBytes`. */
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest extends Abortable {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody | undefined;
  /** It has a connection of its own. */
  readonly alone?: boolean | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Of the request that was answered: after redirects, and with "http:" where the server speaks no TLS. */
  readonly url: URL;
  /** Undefined where it is missing; lists joined with ", ". Lower-case names. */
  header(name: string): string | undefined;
  /** All values of one header: WWW-Authenticate may come several times. */
  headers(name: string): readonly string[];
  /** Single use; leaving it early ends the connection. Throws RegistryError REGISTRY_UNREACHABLE (retryable) when it breaks or stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads the body of an answer that nobody wants, so that the connection can be used again; a long one is cut off. Never fails. */
  discard(): Promise<void>;
}
