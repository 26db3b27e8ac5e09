import { createSocket } from "node:dgram";
import { type AddressInfo, createServer } from "node:net";
import { TsbuildError } from "../../store/errors.ts";
import type { PortMapping } from "../run-options.ts";

/** A mapping of which the host's port is known. */
export interface ChosenPort extends PortMapping {
  readonly hostPort: number;
  /** Nobody named the host's port: it is one that was free. Absent: somebody did. */
  readonly isFree?: true;
}

/** Takes, for each mapping that names no port of the host, one that is free now; another program may have it later. Throws PORT_UNAVAILABLE. */
export async function choosePorts(ports: readonly PortMapping[]): Promise<readonly ChosenPort[]> {
  const held: HeldPort[] = [];
  const chosen: ChosenPort[] = [];
  try {
    for (const port of ports) {
      if (port.hostPort !== undefined) {
        chosen.push({ ...port, hostPort: port.hostPort });
        continue;
      }
      // Held until all are chosen, so that none is chosen twice.
      const free = await holdFreePort(port);
      held.push(free);
      chosen.push({ ...port, hostPort: free.port, isFree: true });
    }
  } finally {
    await Promise.all(held.map((one) => one.release()));
  }
  return chosen;
}

/** What the caller could not know. */
export function noteChoices(ports: readonly ChosenPort[], onNote: (message: string) => void): void {
  for (const { isFree, hostAddress, hostPort, containerPort, protocol } of ports) {
    if (isFree === undefined) continue;
    const address = hostAddress?.includes(":") ? `[${hostAddress}]` : hostAddress;
    onNote(`port ${containerPort}/${protocol} is published as ${address === undefined ? "port " : `${address}:`}${hostPort}`);
  }
}

interface HeldPort {
  readonly port: number;
  release(): Promise<void>;
}

function holdFreePort({ hostAddress, containerPort, protocol }: PortMapping): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error) =>
      reject(new TsbuildError("PORT_UNAVAILABLE", `choosing a port of the host for port ${containerPort}: ${cause.message}`, { cause }));
    if (protocol === "udp") {
      const socket = createSocket(hostAddress?.includes(":") ? "udp6" : "udp4");
      const release = () => new Promise<void>((released) => socket.close(() => released()));
      socket.once("error", (cause) => void release().then(() => refuse(cause)));
      socket.bind({ port: 0, exclusive: true, ...(hostAddress === undefined ? {} : { address: hostAddress }) }, () =>
        resolve({ port: socket.address().port, release }),
      );
      return;
    }
    const server = createServer().once("error", refuse);
    const release = () => new Promise<void>((released) => server.close(() => released()));
    server.listen({ port: 0, ...(hostAddress === undefined ? {} : { host: hostAddress }) }, () =>
      resolve({ port: (server.address() as AddressInfo).port, release }),
    );
  });
}
