import { TsbuildError } from "../../store/errors.ts";
import { isIpAddress } from "../ip-address.ts";

/** The host name inside every RUN: fixed, so that what a step writes does not depend on the machine. */
export const stepHostname = "tsbuild";

/** What `--add-host host-gateway` means where a container shares the host's network. */
const gatewayAddress = "127.0.0.1";

export interface HostEntry {
  readonly name: string;
  readonly address: string;
}

/** Reads "name:address", "name=address" or "name:host-gateway", as --add-host takes it. Throws INVALID_HOST. */
export function parseAddHost(text: string): HostEntry {
  const [, name, written = ""] = /^([^:=\s]+)[:=](\S+)$/.exec(text) ?? [];
  const address = written === "host-gateway" ? gatewayAddress : written.replace(/^\[(.*)\]$/, "$1");
  if (name === undefined || !isIpAddress(address)) {
    throw new TsbuildError("INVALID_HOST", `reading --add-host ${text}: expected NAME:ADDRESS`, {
      hint: "for example db.local:10.0.0.5 or host.docker.internal:host-gateway",
    });
  }
  return { name, address };
}

/** The text of /etc/hosts inside a container (hosts(5)). */
export function hostsFile(hostname: string, added: readonly HostEntry[]): string {
  const rows = [
    `127.0.0.1\tlocalhost ${hostname}`,
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...added.map(({ name, address }) => `${address}\t${name}`),
  ];
  return `${rows.join("\n")}\n`;
}

/** The text of /etc/resolv.conf: the host's, or none without a network (resolv.conf(5)). */
export function resolvFile(hostText: string | undefined, network: "host" | "none"): string {
  return network === "none" || hostText === undefined ? "" : hostText;
}
