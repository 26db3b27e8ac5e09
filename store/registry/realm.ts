import type { BearerChallenge } from "./challenge.ts";
import { type Endpoint, isLoopback } from "./endpoint.ts";
import { RegistryError } from "./registry-error.ts";

// A registry names the server that its credentials are sent to. These are the rules for which it may name.

/**
 * The token server of a challenge. Throws REGISTRY_PROTOCOL for what is no http(s) URL, has a user part, or would have credentials sent in the clear: plain http is
 * for registries that are spoken to so themselves.
 */
export function realmOf({ realm }: BearerChallenge, endpoint: Endpoint): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) throw refusal(endpoint, "it names no URL for tokens");
  if (url.username !== "" || url.password !== "") throw refusal(endpoint, `its URL for tokens has a user part (host ${url.host})`);
  if (url.protocol === "http:" && !plainHttpAllowed(url, endpoint)) {
    throw refusal(
      endpoint,
      `it wants credentials sent to ${url.host} by plain http`,
      `if that is meant so, set insecure = true for ${endpoint.registry}`,
    );
  }
  url.hash = "";
  return url;
}

/** Whether credentials may follow a redirect of a token request, its Authorization header apart. */
export function mayRedirect(from: URL, to: URL, endpoint: Endpoint): boolean {
  if (to.username !== "" || to.password !== "") return false;
  if (to.protocol === "https:") return true;
  return to.protocol === "http:" && from.protocol === "http:" && plainHttpAllowed(to, endpoint);
}

/** The token server as a server to speak to: with the registry's own settings where it is the registry. */
export function realmEndpoint(url: URL, endpoint: Endpoint): Endpoint {
  if (url.origin === endpoint.origin) return endpoint;
  const registry = url.host === new URL(endpoint.origin).host ? endpoint.registry : url.host;
  return { registry, origin: url.origin, repository: "", insecure: endpoint.insecure };
}

function plainHttpAllowed(url: URL, { origin, insecure, plainHttp = false }: Endpoint): boolean {
  return insecure || origin.startsWith("http:") || (plainHttp && isLoopback(url.host));
}

function refusal({ registry }: Endpoint, why: string, hint?: string): RegistryError {
  return new RegistryError("REGISTRY_PROTOCOL", `authenticating at ${registry}: ${why}`, hint === undefined ? {} : { hint });
}
