import { type Connections, openConnections } from "./connections.ts";
import type { Endpoint } from "./endpoint.ts";
import { exchange } from "./http-exchange.ts";
import { isRefused, speaksNoTls } from "./http-failure.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";
import type { ProxyVariables } from "./proxy.ts";
import type { RegistrySettings } from "./settings.ts";

export type { HttpBody, HttpRequest, HttpResponse } from "./http-message.ts";

/** One request and its answer, whatever its status: no authorisation, no retry, no redirect. Connections are kept. */
export interface Http extends AsyncDisposable {
  /**
   * An https URL of the endpoint's own origin is asked over plain http where the endpoint allows it and the server speaks no TLS; the answer's URL says so.
   * Throws RegistryError REGISTRY_UNREACHABLE or REGISTRY_TLS, CERTIFICATE_UNREADABLE, INVALID_PROXY, IntegrityError for a body that is not as long as it
   * says, and `signal.reason`; what the body's source throws passes as it is.
   */
  request(endpoint: Endpoint, request: HttpRequest): Promise<HttpResponse>;
  /** Ends all connections; requests that are under way fail. */
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly settings: RegistrySettings;
  /** HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY (either case) as curl reads them; loopback is never proxied. Absent: no proxy. */
  readonly proxy?: ProxyVariables;
  readonly userAgent?: string;
  /** Files with the authorities that the system trusts; the first that exists is read, and only when a certificate needs it. Absent: the usual places. */
  readonly systemBundles?: readonly string[];
}

/** Opens nothing until the first request. */
export function openHttp({ settings, proxy = {}, userAgent = "tsbuild", systemBundles }: HttpOptions): Http {
  const connections = openConnections({ settings, proxy, systemBundles });
  const sending = { userAgent, stallTimeoutMs: settings.stallTimeoutMs };
  /** What servers that may speak plain http turned out to speak, by host. */
  const schemes = new Map<string, "https:" | "http:">();

  const send = (endpoint: Endpoint, request: HttpRequest, scheme: string) => sendOver(connections, endpoint, request, scheme, sending);

  const probe = async (endpoint: Endpoint, request: HttpRequest): Promise<HttpResponse> => {
    const { host, port } = request.url;
    const { response, scheme } = await send(endpoint, request, "https:").then(
      (answer) => ({ response: answer, scheme: "https:" as const }),
      async (error: unknown) => {
        // Both fail while the connection is being opened, before anything is sent. Without a port https and http have different ones.
        if (!speaksNoTls(error) && !(port === "" && isRefused(error))) throw error;
        const answer = await send(endpoint, request, "http:").catch((second: unknown) => {
          throw isRefused(second) ? error : second;
        });
        return { response: answer, scheme: "http:" as const };
      },
    );
    schemes.set(host, scheme);
    return response;
  };

  const close = () => connections.close();
  return {
    request: async (endpoint, request) => {
      request.signal?.throwIfAborted();
      const { url } = request;
      const unsure = endpoint.plainHttp === true && url.protocol === "https:" && url.origin === endpoint.origin;
      if (!unsure) return await send(endpoint, request, url.protocol);
      const known = schemes.get(url.host);
      return known === undefined ? probe(endpoint, request) : send(endpoint, request, known);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function sendOver(
  connections: Connections,
  endpoint: Endpoint,
  request: HttpRequest,
  scheme: string,
  { userAgent, stallTimeoutMs }: { readonly userAgent: string; readonly stallTimeoutMs: number },
): Promise<HttpResponse> {
  const url = new URL(request.url);
  url.protocol = scheme;
  url.username = "";
  url.password = "";
  url.hash = "";
  const line = await connections.line(endpoint, url, request.alone);
  const headers = { "user-agent": userAgent, ...request.headers, ...line.headers };
  try {
    return await exchange(line.dispatcher, { request, url, path: line.path(url), headers, failures: line.failures, stallTimeoutMs });
  } finally {
    line.leave();
  }
}
