import { isIpAddress } from "../ip-address.ts";
import type { DnsSettings } from "../options.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { invalid } from "./values.ts";

/** What /etc/resolv.conf shall say, the same for RUN steps and containers. */
export const dnsFlags = {
  dns: { value: "ADDRESS", many: true, help: "Name server instead of the host's" },
  "dns-search": { value: "DOMAIN", many: true, help: "Domain in which names are looked for, instead of the host's; . is none" },
  "dns-option": { alias: "dns-opt", value: "OPTION", many: true, help: "Option of the resolver, instead of the host's" },
} as const satisfies FlagTable;

export function readDns(flags: FlagValues<typeof dnsFlags>): DnsSettings {
  const { dns: servers = [], "dns-search": search = [], "dns-option": options = [] } = flags;
  for (const server of servers) if (!isIpAddress(server)) throw invalid("--dns", server, "is not an address");
  // A word of its own would begin another line or directive.
  for (const [flag, words] of [["--dns-search", search] as const, ["--dns-option", options] as const])
    for (const word of words)
      if (!/^[\w.:-]+$/.test(word)) throw invalid(flag, word, "is not one word of letters, digits, dots, colons and hyphens");
  return { servers, search, options };
}
