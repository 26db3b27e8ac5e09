import type { Endpoint } from "./endpoint.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";
import { RegistryError } from "./registry-error.ts";

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function isRedirect(status: number): boolean {
  return redirects.has(status);
}

/**
 * Where an answer sends its request. Throws REGISTRY_PROTOCOL: for no or no usable Location, for one that leads from TLS to plain http (unless the endpoint is
 * insecure), and for a write that would have to become a GET.
 */
export function redirectTarget(endpoint: Endpoint, method: HttpRequest["method"], response: HttpResponse): URL {
  const { status, url } = response;
  const refuse = (why: string, hint?: string) =>
    new RegistryError("REGISTRY_PROTOCOL", `${url.host} answers ${status}, ${why}`, { status, ...(hint !== undefined && { hint }) });
  const location = response.header("location");
  if (location === undefined) throw refuse("a redirect without Location");
  if (!URL.canParse(location, url.href)) throw refuse("a redirect whose Location is no URL");
  const target = ownUrl(endpoint, new URL(location, url));
  if (target.protocol !== "https:" && target.protocol !== "http:") throw refuse(`a redirect to "${target.protocol}"`);
  if (leavesTls(endpoint, url, target)) {
    throw refuse(
      `a redirect to plain http at ${target.host}`,
      "the registry's storage, or the proxy before it, is to hand out https addresses",
    );
  }
  if (method !== "GET" && method !== "HEAD" && status !== 307 && status !== 308) {
    throw refuse(`a redirect of a ${method} to ${target.host}, which clients repeat as a GET`, `name the registry ${target.host} itself`);
  }
  return target;
}

/** Whether an answer from `from` leads out of TLS, so that all can read what follows: only an insecure endpoint's may. `to` is as `ownUrl` has it. */
export function leavesTls({ insecure }: Endpoint, from: URL, to: URL): boolean {
  return from.protocol === "https:" && to.protocol === "http:" && !insecure;
}

/**
 * The URL as it is asked for at the endpoint: registries behind a proxy that ends TLS hand out addresses of their own host that begin with "http:"; these are
 * asked for as the endpoint's origin says. Without user part and fragment.
 */
export function ownUrl(endpoint: Endpoint, url: URL): URL {
  const own = new URL(endpoint.origin);
  const result = new URL(url);
  result.username = "";
  result.password = "";
  result.hash = "";
  if (result.host === own.host && result.protocol === "http:") result.protocol = own.protocol;
  return result;
}
