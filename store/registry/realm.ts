import type { BearerChallenge } from "./challenge.ts";
import { type Endpoint, type HostRules, isLoopback } from "./endpoint.ts";
import { RegistryError } from "./registry-error.ts";

// A registry names the server that its credentials are sent to. These are the rules for which it may name.

/**
 * The token server of a challenge. Throws REGISTRY_PROTOCOL for what is no http(s) URL, has a user part, or would have credentials sent in the clear where that is
 * not allowed.
 */
export function realmOf({ realm }: BearerChallenge, endpoint: Endpoint, rules: HostRules): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) throw refusal(endpoint, "it names no URL for tokens");
  if (url.username !== "" || url.password !== "") throw refusal(endpoint, `its URL for tokens has a user part (host ${url.host})`);
  if (url.protocol === "http:" && !plainHttpAllowed(url, endpoint, rules)) {
    throw refusal(
      endpoint,
      `it wants credentials sent to ${url.host} by plain http`,
      `if that is meant so, set insecure = true for ${url.host}`,
    );
  }
  url.hash = "";
  return url;
}

/** Whether credentials may follow a redirect of a token request, its Authorization header apart. */
export function mayRedirect(from: URL, to: URL, endpoint: Endpoint, rules: HostRules): boolean {
  if (to.username !== "" || to.password !== "") return false;
  if (to.protocol === "https:") return true;
  return to.protocol === "http:" && from.protocol === "http:" && plainHttpAllowed(to, endpoint, rules);
}

/** The token server as a server to speak to: with the registry's own settings where it is the registry. */
export function realmEndpoint(url: URL, endpoint: Endpoint, rules: HostRules): Endpoint {
  if (url.origin === endpoint.origin) return endpoint;
  const registry = url.host === new URL(endpoint.origin).host ? endpoint.registry : url.host;
  return { registry, origin: url.origin, repository: "", insecure: insecureAt(url, endpoint, rules) };
}

/** What the settings say of the token server itself comes first. That its registry is insecure counts for the registry's machine and for this one alone. */
function insecureAt(url: URL, endpoint: Endpoint, { hosts, insecure }: HostRules): boolean {
  return hosts[url.host]?.insecure ?? (isNear(url, endpoint) ? endpoint.insecure : insecure);
}

function plainHttpAllowed(url: URL, endpoint: Endpoint, rules: HostRules): boolean {
  const { origin, insecure, plainHttp = false } = endpoint;
  // Without being insecure, those of this machine may be spoken to so.
  return insecureAt(url, endpoint, rules) || (isNear(url, endpoint) && (origin.startsWith("http:") || (plainHttp && !insecure)));
}

function isNear(url: URL, { origin }: Endpoint): boolean {
  return url.hostname === new URL(origin).hostname || isLoopback(url.host);
}

function refusal({ registry }: Endpoint, why: string, hint?: string): RegistryError {
  return new RegistryError("REGISTRY_PROTOCOL", `authenticating at ${registry}: ${why}`, hint === undefined ? {} : { hint });
}
