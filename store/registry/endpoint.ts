import { TsbuildError } from "../errors.ts";
import { isRegistryHost, type Reference } from "../reference.ts";
import type { HostSettings, RegistrySettings, RewriteRule } from "./settings.ts";

/** A server that answers for a repository: the registry itself or one of its mirrors. */
export interface Endpoint {
  /** As credentials and settings know it: "docker.io", "host:5000". */
  readonly registry: string;
  /** Where its API is, in the URL's own form, which others are compared with: "https://registry-1.docker.io". No path. */
  readonly origin: string;
  /** The repository as this server calls it, a mirror's prefix included. */
  readonly repository: string;
  /** Of a mirror: the registry that it stands for. */
  readonly mirrorOf?: string;
  /** Certificates are not checked. */
  readonly insecure: boolean;
  /** Of an https origin: where the server does not speak TLS at all, the same host is asked over plain http. Absent: never. */
  readonly plainHttp?: boolean;
}

/** Who answers for a repository. */
export interface Endpoints {
  /** As the name was read, after rewriting: "docker.io" and "library/debian". */
  readonly registry: string;
  readonly repository: string;
  /** In the order in which they are asked: the mirrors, the registry itself last. */
  readonly reading: readonly [Endpoint, ...Endpoint[]];
  /** The registry itself. */
  readonly writing: Endpoint;
}

/** Names under which Docker Hub is known, and the host of its API. */
const hub = "docker.io";
const hubApi = "registry-1.docker.io";

/** What the settings say of hosts. */
export type HostRules = Pick<RegistrySettings, "hosts" | "insecure">;

/** Rewrites the name by the longest rule that matches, once, and lists the servers of what came out. Throws INVALID_REFERENCE for what is no host in the settings. */
export function endpointsFor(
  reference: Pick<Reference, "registry" | "repository">,
  settings: HostRules & Pick<RegistrySettings, "rewrites">,
): Endpoints {
  const { registry, repository } = rewritten(reference, settings.rewrites);
  const writing = endpointOf(registry, repository, settings);
  const mirrors = (hostSettings(writing, settings)?.mirrors ?? []).map((mirror) => mirrorOf(mirror, registry, repository, settings));
  const [first, ...rest] = [...mirrors, writing];
  return { registry, repository, reading: [first ?? writing, ...rest], writing };
}

function rewritten(
  { registry, repository }: Pick<Reference, "registry" | "repository">,
  rules: readonly RewriteRule[],
): { registry: string; repository: string } {
  const name = `${registry}/${repository}`;
  let best: { readonly from: string; readonly to: string } | undefined;
  for (const rule of rules) {
    const from = withoutSlash(rule.from);
    const matches = name === from || name.startsWith(`${from}/`);
    if (matches && from.length > (best?.from.length ?? 0)) best = { from, to: withoutSlash(rule.to) };
  }
  if (best === undefined) return { registry, repository };
  const result = best.to + name.slice(best.from.length);
  const slash = result.indexOf("/");
  return slash < 0 ? { registry: result, repository } : { registry: result.slice(0, slash), repository: result.slice(slash + 1) };
}

/** `mirror` is "host[:port][/prefix]", with "http://" or "https://" in front where the scheme is certain. */
function mirrorOf(mirror: string, registry: string, repository: string, settings: HostRules): Endpoint {
  const [, scheme, host = "", prefix = ""] = /^(?:(https?):\/\/)?([^/]*)\/?(.*?)\/*$/i.exec(mirror) ?? [];
  const path = prefix === "" ? repository : `${prefix}/${repository}`;
  const found = endpointOf(host, path, settings);
  if (scheme === undefined) return { ...found, mirrorOf: registry };
  return { ...found, origin: originOf(scheme, host), plainHttp: false, mirrorOf: registry };
}

function endpointOf(registry: string, repository: string, settings: HostRules): Endpoint {
  const origin = originOf("https", registry);
  const insecure = hostSettings({ registry, origin }, settings)?.insecure ?? settings.insecure;
  // A port that https has by itself is gone from the origin, and plain http would be looked for at another one.
  const portIsMeant = /:0*443$/.test(registry);
  return { registry, origin, repository, insecure, plainHttp: !portIsMeant && (insecure || isLoopback(new URL(origin).host)) };
}

/** What the settings say of a host by its name as it is written, else as URLs have it. */
function hostSettings({ registry, origin }: Pick<Endpoint, "registry" | "origin">, { hosts }: HostRules): HostSettings | undefined {
  return hosts[registry] ?? hosts[new URL(origin).host];
}

/** Names of hosts are lower case there, and a port that the scheme has by itself is left away. */
function originOf(scheme: string, registry: string): string {
  const host = apiHost(registry);
  if (isRegistryHost(host)) return new URL(`${scheme}://${host}`).origin;
  throw new TsbuildError("INVALID_REFERENCE", `looking for a registry: "${registry}" is no registry host`);
}

function apiHost(registry: string): string {
  return registry === hub || registry === "index.docker.io" ? hubApi : registry;
}

/** Whether a host, with or without a port, is this machine: "localhost", 127.0.0.0/8, "[::1]". */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return name === "localhost" || name === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, "");
}
