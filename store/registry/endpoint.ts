import type { Reference } from "../reference.ts";
import type { RegistrySettings, RewriteRule } from "./settings.ts";

/** A server that answers for a repository: the registry itself or one of its mirrors. */
export interface Endpoint {
  /** As credentials and settings know it: "docker.io", "host:5000". */
  readonly registry: string;
  /** Where its API is: "https://registry-1.docker.io". No path. */
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

/** Rewrites the name by the longest rule that matches, once, and lists the servers of what came out. */
export function endpointsFor(
  reference: Pick<Reference, "registry" | "repository">,
  settings: Pick<RegistrySettings, "hosts" | "insecure" | "rewrites">,
): Endpoints {
  const { registry, repository } = rewritten(reference, settings.rewrites);
  const writing = endpointOf(registry, repository, settings.hosts[registry]?.insecure ?? settings.insecure);
  const mirrors = (settings.hosts[registry]?.mirrors ?? []).map((mirror) => mirrorOf(mirror, registry, repository, settings));
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
function mirrorOf(
  mirror: string,
  registry: string,
  repository: string,
  { hosts, insecure }: Pick<RegistrySettings, "hosts" | "insecure">,
): Endpoint {
  const [, scheme, host = "", prefix = ""] = /^(?:(https?):\/\/)?([^/]*)\/?(.*?)\/*$/i.exec(mirror) ?? [];
  const path = prefix === "" ? repository : `${prefix}/${repository}`;
  const found = endpointOf(host, path, hosts[host]?.insecure ?? insecure);
  if (scheme === undefined) return { ...found, mirrorOf: registry };
  return { ...found, origin: `${scheme.toLowerCase()}://${apiHost(host)}`, plainHttp: false, mirrorOf: registry };
}

function endpointOf(registry: string, repository: string, insecure: boolean): Endpoint {
  return { registry, origin: `https://${apiHost(registry)}`, repository, insecure, plainHttp: insecure || isLoopback(registry) };
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
