import { readFile } from "node:fs/promises";

/** The address of the host's default gateway (IPv4, /proc/net/route in proc_pid_net(5)); undefined where it has none. */
export async function defaultGateway(): Promise<string | undefined> {
  return gatewayIn(await readFile("/proc/net/route", "latin1").catch(() => ""));
}

/** Rows of "Iface Destination Gateway Flags …", addresses as hexadecimal numbers of the machine's (little-endian) order. */
export function gatewayIn(table: string): string | undefined {
  const [, ...rows] = table.split("\n");
  const gateways = rows
    .map((row) => row.split("\t"))
    .filter(([, destination, gateway = ""]) => destination === "00000000" && /^[0-9A-F]{8}$/.test(gateway));
  const found = gateways
    .map(([, , gateway = ""]) => Buffer.from(gateway, "hex").reverse())
    .find((bytes) => bytes.some((byte) => byte !== 0));
  return found?.join(".");
}
