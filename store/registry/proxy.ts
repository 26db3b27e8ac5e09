import { isIP } from "node:net";
import { TsbuildError } from "../errors.ts";
import { isLoopback } from "./endpoint.ts";

/** Names of variables as in an environment, with their values. */
export type ProxyVariables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL, as curl reads http_proxy, https_proxy, all_proxy and no_proxy: the lower-case name wins over the upper-case one, an empty value is none.
 * This machine is never asked through a proxy. Throws INVALID_PROXY.
 */
export function proxyFor(url: URL, variables: ProxyVariables): URL | undefined {
  const found = variableFor(url, variables);
  return found && parseProxy(found.name.toUpperCase(), found.value);
}

/** Whether proxyFor() has one for it, of whatever kind. */
export function isProxied(url: URL, variables: ProxyVariables): boolean {
  return variableFor(url, variables) !== undefined;
}

function variableFor(url: URL, variables: ProxyVariables): { readonly name: string; readonly value: string } | undefined {
  if (isLoopback(url.host) || exempt(url, variableOf("no_proxy", variables))) return undefined;
  const names = [url.protocol === "https:" ? "https_proxy" : "http_proxy", "all_proxy"];
  return names.map((name) => ({ name, value: variableOf(name, variables) })).find(({ value }) => value !== "");
}

function variableOf(name: string, variables: ProxyVariables): string {
  return (variables[name] ?? variables[name.toUpperCase()] ?? "").trim();
}

function parseProxy(source: string, value: string): URL {
  // The value may hold a password: it is never repeated.
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text)) throw invalid(source, "it is no URL");
  const proxy = new URL(text);
  if (proxy.protocol !== "http:" && proxy.protocol !== "https:")
    throw invalid(source, `proxies of the kind "${proxy.protocol}" are not supported`);
  if (!decodes(proxy.username) || !decodes(proxy.password)) throw invalid(source, 'a "%" in its name or password is not written as "%25"');
  return proxy;
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function invalid(source: string, why: string): TsbuildError {
  return new TsbuildError("INVALID_PROXY", `reading ${source}: ${why}`, { hint: "http://HOST:PORT or https://HOST:PORT" });
}

/** `list`: hosts, with what lies below them, addresses and blocks of addresses, each with a port where it is meant for one alone; "*" for all. */
function exempt(url: URL, list: string): boolean {
  const host = bare(url.hostname);
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "") return false;
    if (entry === "*") return true;
    const [, name = "", entryPort] = /^(\[[^\]]*\]|[^:]*|[^[].*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
    if (entryPort !== undefined && entryPort !== port) return false;
    return isIP(host) === 0 ? domainMatches(host, bare(name)) : addressMatches(host, bare(name));
  });
}

function bare(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase()
    .replace(/\.$/, "");
}

function domainMatches(host: string, entry: string): boolean {
  const domain = entry.replace(/^\*?\./, "");
  return domain !== "" && (host === domain || host.endsWith(`.${domain}`));
}

function addressMatches(host: string, entry: string): boolean {
  const [address = "", length] = entry.split("/");
  const family = isIP(address);
  if (family === 0 || family !== isIP(host)) return false;
  const bits = family === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : bits + 1;
  if (prefix > bits) return false;
  const shift = BigInt(bits - prefix);
  return numberOf(host) >> shift === numberOf(address) >> shift;
}

function numberOf(address: string): bigint {
  if (isIP(address) === 4) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // The URL parser writes every form of an IPv6 address with at most one "::", and embedded IPv4 as two groups.
  const groups = bare(new URL(`http://[${address}]`).hostname).split("::");
  const [head = [], tail = []] = groups.map((part) => part.split(":").filter((group) => group !== ""));
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
