import { STATUS_CODES } from "node:http";
import type { Abortable } from "../../store/file-bytes.ts";
import type { Endpoint } from "../../store/registry/endpoint.ts";
import type { Http, HttpResponse } from "../../store/registry/http.ts";
import { isRedirect } from "../../store/registry/redirect.ts";
import { RegistryError } from "../../store/registry/registry-error.ts";
import { retryAfter } from "../../store/registry/response-error.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";

export interface GetOptions extends Abortable {
  readonly headers: Readonly<Record<string, string>>;
  /** For the URL's own server, whatever it redirects to. */
  readonly authorization?: string | undefined;
  /** Statuses besides 2xx that are answers, too. */
  readonly expect: readonly number[];
  readonly settings: Pick<RegistrySettings, "hosts">;
}

/** As many as other clients follow. */
const mostRedirects = 10;

/**
 * One GET and its redirects, which never lead from TLS to plain http; but for `authorization` nothing is sent along that would identify anybody. The answer's body is unread. Fails as the
 * retry policy expects it: RegistryErrors, retryable where another try may do better, with no more of a URL than its host.
 */
export async function httpGet(
  http: Http,
  url: URL,
  { headers, authorization, expect, settings, signal }: GetOptions,
): Promise<HttpResponse> {
  let at = url;
  for (let redirects = 0; ; redirects += 1) {
    const own = authorization === undefined || at.origin !== url.origin ? headers : { ...headers, authorization };
    const response = await http.request(endpointOf(at, settings), { method: "GET", url: at, headers: own, signal });
    const { status } = response;
    if (expect.includes(status) || (status >= 200 && status < 300)) return response;
    await response.discard();
    if (!isRedirect(status)) throw statusError(response);
    if (redirects === mostRedirects) throw protocolError(`more than ${mostRedirects} redirects, the last from ${at.host}`);
    at = redirectedTo(response, at);
  }
}

function endpointOf(url: URL, { hosts }: Pick<RegistrySettings, "hosts">): Endpoint {
  return { registry: url.host, origin: url.origin, repository: "", insecure: hosts[url.host]?.insecure ?? false };
}

function redirectedTo(response: HttpResponse, from: URL): URL {
  const refused = (why: string) => protocolError(`${from.host} answers ${response.status}, ${why}`);
  const location = response.header("location");
  if (location === undefined) throw refused("a redirect without Location");
  if (!URL.canParse(location, from.href)) throw refused("a redirect whose Location is no URL");
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== "http:") throw refused("a redirect to what is no http");
  if (from.protocol === "https:" && to.protocol === "http:") throw refused(`a redirect to plain http at ${to.host}`);
  to.username = "";
  to.password = "";
  to.hash = "";
  return to;
}

function protocolError(message: string): RegistryError {
  return new RegistryError("REGISTRY_PROTOCOL", message);
}

/** 501, 505 and 507 do not pass: not implemented, no such version of HTTP, no room left. */
const lasting: ReadonlySet<number> = new Set([501, 505, 507]);
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

function statusError(response: HttpResponse): RegistryError {
  const { status } = response;
  const name = STATUS_CODES[status]?.toLowerCase();
  const retryable = passing.has(status) || (status >= 500 && !lasting.has(status));
  return new RegistryError("REGISTRY_FAILED", `${response.url.host} answers ${status}${name === undefined ? "" : ` ${name}`}`, {
    status,
    retryable,
    retryAfterMs: retryable ? retryAfter(response.header("retry-after"), Date.now) : undefined,
  });
}
