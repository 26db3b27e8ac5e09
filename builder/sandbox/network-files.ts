import { TsbuildError } from "../../store/errors.ts";
import { isIpAddress } from "../ip-address.ts";
import type { DnsSettings } from "../options.ts";

/** The host name inside every RUN: fixed, so that what a step writes does not depend on the machine. */
export const stepHostname = "tsbuild";

/** What stands for an address of the host that the container can reach. */
const hostGateway = "host-gateway";

export interface HostEntry {
  readonly name: string;
  /** An address, or "host-gateway". */
  readonly address: string;
}

/** Whether a container needs a way to what listens on the host. */
export function wantsHostGateway(hosts: readonly HostEntry[]): boolean {
  return hosts.some(({ address }) => address === hostGateway);
}

export type NetworkKind = "isolated" | "host" | "none";

/** Reads "name:address", "name=address" or "name:host-gateway", as --add-host takes it. Throws INVALID_HOST. */
export function parseAddHost(text: string): HostEntry {
  const [, name, written = ""] = /^([^:=\s]+)[:=](\S+)$/.exec(text) ?? [];
  const address = written.replace(/^\[(.*)\]$/, "$1");
  if (name === undefined || (address !== hostGateway && !isIpAddress(address))) {
    throw new TsbuildError("INVALID_HOST", `reading --add-host ${text}: expected NAME:ADDRESS`, {
      hint: "for example db.local:10.0.0.5 or host.docker.internal:host-gateway",
    });
  }
  return { name, address };
}

/** The text of /etc/hosts inside a container (hosts(5)); `gateway` is what "host-gateway" stands for. */
export function hostsFile(hostname: string, added: readonly HostEntry[], gateway: string): string {
  const rows = [
    `127.0.0.1\tlocalhost ${hostname}`,
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...added.map(({ name, address }) => `${address === hostGateway ? gateway : address}\t${name}`),
  ];
  return `${rows.join("\n")}\n`;
}

/** An address that leads nowhere by itself: in a network of its own, queries to it go to the host's first resolver (RFC 3927). */
const forwardedAddress = "169.254.1.1";

/**
 * The text of /etc/resolv.conf (resolv.conf(5)). In a network of its own a container cannot reach a resolver on the host's loopback: `upstream`, what
 * systemd-resolved asks, is taken then, and where that names none either, an address whose queries must be forwarded.
 */
export function resolution(
  kind: "isolated" | "host",
  { own, upstream }: { readonly own: string; readonly upstream: string },
  dns: DnsSettings,
): { readonly text: string; readonly forwarded?: string } {
  const ownReach = kind === "host" ? own : withoutLoopback(own);
  const reachable = hasServer(ownReach) || kind === "host" ? ownReach : withoutLoopback(upstream);
  const forwards = kind === "isolated" && dns.servers.length === 0 && !hasServer(reachable) && hasServer(own);
  const kept = reachable.split("\n").filter((line) => !isReplaced(line, dns));
  const lines = [
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(forwards ? [`nameserver ${forwardedAddress}`] : []),
    ...(dns.search.length === 0 || dns.search.includes(".") ? [] : [`search ${dns.search.join(" ")}`]),
    ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(" ")}`]),
    ...kept,
  ];
  const text = lines.join("\n").trimEnd();
  return { text: text === "" ? "" : `${text}\n`, ...(forwards ? { forwarded: forwardedAddress } : {}) };
}

function isReplaced(line: string, { servers, search, options }: DnsSettings): boolean {
  const word = line.trimStart().split(/\s/)[0];
  if (word === "nameserver") return servers.length > 0;
  if (word === "search" || word === "domain") return search.length > 0;
  return word === "options" && options.length > 0;
}

function serverOf(line: string): string | undefined {
  return /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
}

function hasServer(text: string): boolean {
  return text.split("\n").some((line) => serverOf(line) !== undefined);
}

function withoutLoopback(text: string): string {
  const isLoopback = (server: string | undefined) => server !== undefined && /^(127\.|::1(%|$)|0\.0\.0\.0$)/.test(server);
  return text
    .split("\n")
    .filter((line) => !isLoopback(serverOf(line)))
    .join("\n");
}
