import { isIpAddress } from "../ip-address.ts";
import type { PortMapping } from "../run-options.ts";
import { UsageError } from "./usage-error.ts";
import { invalid } from "./values.ts";

const form = /^(?:(?:(\[[^\]]*\]|[^:]*):)?(\d+(?:-\d+)?)?:)?(\d+(?:-\d+)?)(?:\/(tcp|udp))?$/;

/**
 * "[[ADDRESS:][HOST]:]CONTAINER[/tcp|/udp]", as docker run takes it: HOST and CONTAINER are ports or ranges of equal length, and without HOST free ones are
 * taken. Throws UsageError INVALID_VALUE, UNSUPPORTED_VALUE; `flag` is the name to print.
 */
export function readPorts(flag: string, text: string): readonly PortMapping[] {
  if (text.endsWith("/sctp"))
    throw new UsageError("UNSUPPORTED_VALUE", `reading ${flag}: "${text}" has the protocol sctp, which is not supported`, {
      hint: "ports are tcp or udp",
    });
  const match = form.exec(text);
  if (match === null) throw invalid(flag, text, "is not HOST:CONTAINER", "write it as 8080:80, 127.0.0.1:8080:80 or 8000-8002:80-82");
  const [, written, host, container = "", protocol] = match;
  const address = written?.replace(/^\[(.*)\]$/, "$1");
  if (address !== undefined && !isIpAddress(address)) throw invalid(flag, text, `has no IP address in front: "${address}"`);
  const inside = readRange(flag, text, container);
  const outside = host === undefined ? undefined : readRange(flag, text, host);
  if (outside !== undefined && outside.count !== inside.count)
    throw invalid(flag, text, "has ranges of different lengths", "leave out the host's port, and a free one is taken");
  return Array.from({ length: inside.count }, (_, i) => ({
    ...(address === undefined ? {} : { hostAddress: address }),
    ...(outside === undefined ? {} : { hostPort: outside.first + i }),
    containerPort: inside.first + i,
    protocol: protocol === "udp" ? "udp" : "tcp",
  }));
}

/** All that are published. Throws the same, and INVALID_VALUE where two want one port of the host. */
export function readAllPorts(flag: string, texts: readonly string[]): readonly PortMapping[] {
  const taken: PortMapping[] = [];
  for (const text of texts) {
    const ports = readPorts(flag, text);
    const clash = ports.find((port) => taken.some((other) => sharePort(port, other)));
    if (clash !== undefined) throw invalid(flag, text, `wants the host's port ${clash.hostPort}/${clash.protocol}, which another one has`);
    taken.push(...ports);
  }
  return taken;
}

function sharePort(a: PortMapping, b: PortMapping): boolean {
  if (a.hostPort === undefined || a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false;
  return (
    [a, b].some(({ hostAddress }) => hostAddress === undefined) || a.hostAddress === b.hostAddress || wildcardOf(a, b) || wildcardOf(b, a)
  );
}

/** Whether the first one's address stands for all of the second one's family. */
function wildcardOf({ hostAddress: all }: PortMapping, { hostAddress: one = "" }: PortMapping): boolean {
  return all === (one.includes(":") ? "::" : "0.0.0.0");
}

function readRange(flag: string, text: string, range: string): { readonly first: number; readonly count: number } {
  const [first = 0, last = first] = range.split("-").map((digits) => readPort(flag, text, digits));
  if (last < first) throw invalid(flag, text, `has a range that ends before it begins: ${range}`);
  return { first, count: last - first + 1 };
}

function readPort(flag: string, text: string, digits: string): number {
  const port = Number(digits);
  if (!(port >= 1 && port <= 65535)) throw invalid(flag, text, `has a port that is not between 1 and 65535: ${digits}`);
  return port;
}
