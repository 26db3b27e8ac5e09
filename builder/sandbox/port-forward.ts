import { createSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import { TsbuildError } from "../../store/errors.ts";
import type { ChosenPort } from "./port-choice.ts";

/**
 * Publishes ports of a container that shares the host's network: a port that is the same on both sides is already reachable,
 * any other is relayed from the host's port to loopback. Throws PORT_IN_USE, UNSUPPORTED_PORT.
 */
export async function publishPorts(ports: readonly ChosenPort[]): Promise<{ close(): Promise<void> }> {
  const relays: Relay[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(relays.map((relay) => relay.close()));
  };
  try {
    for (const port of ports) {
      if (port.hostPort === port.containerPort && port.hostAddress === undefined) continue;
      if (port.protocol !== "tcp") throw unmappable(port);
      if (port.hostPort === port.containerPort) {
        throw new TsbuildError(
          "UNSUPPORTED_PORT",
          `publishing ${port.hostAddress}:${port.hostPort}: the container shares the host's network and listens on its own address`,
          {
            hint: "leave out the address, or choose another port of the host",
          },
        );
      }
      relays.push(await openRelay(port));
    }
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

function unmappable({ isFree, hostPort, containerPort, protocol }: ChosenPort): TsbuildError {
  const port = `${containerPort}/${protocol}`;
  if (isFree !== undefined) {
    return new TsbuildError("UNSUPPORTED_PORT", `publishing ${port}: in the host's network only tcp ports can be given one that is free`, {
      hint: `say -p ${containerPort}:${port}: the container listens on that port of the host itself`,
    });
  }
  return new TsbuildError("UNSUPPORTED_PORT", `publishing ${hostPort}:${port}: only tcp ports can be mapped to another number`);
}

/** Throws PORT_IN_USE where another program listens on one of the ports: who takes them later does not say so itself. */
export async function refuseTakenPorts(ports: readonly ChosenPort[]): Promise<void> {
  for (const port of ports) {
    if (port.protocol === "tcp") await (await openRelay(port)).close();
    else await tryUdpPort(port);
  }
}

/** Who gives an address or another port may take it for the only way in. */
export function noteReach({ hostAddress, hostPort, containerPort }: ChosenPort, onNote: (message: string) => void): void {
  if (hostAddress === undefined && hostPort === containerPort) return;
  onNote(
    `the container shares the host's network: port ${containerPort} can be reached as the command listens on it; port ${hostPort} is added, and keeps nobody out`,
  );
}

interface Relay {
  /** Ends its connections too. */
  close(): Promise<void>;
}

function tryUdpPort({ hostAddress, hostPort }: ChosenPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(hostAddress?.includes(":") ? "udp6" : "udp4");
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      socket.close();
      reject(portError(hostPort, cause));
    });
    socket.bind({ port: hostPort, exclusive: true, ...(hostAddress === undefined ? {} : { address: hostAddress }) }, () =>
      socket.close(() => resolve()),
    );
  });
}

function portError(hostPort: number, cause: NodeJS.ErrnoException): TsbuildError {
  const taken = cause.code === "EADDRINUSE";
  return new TsbuildError(
    taken ? "PORT_IN_USE" : "PORT_UNAVAILABLE",
    `publishing port ${hostPort}: ${taken ? "another program listens on it" : cause.message}`,
    { cause, ...(taken ? { hint: "-p OTHER:PORT takes another one; ss -ltnp shows whose it is" } : {}) },
  );
}

function openRelay({ hostAddress, hostPort, containerPort }: ChosenPort): Promise<Relay> {
  return new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    // Half-open: a side that has said all may still be listening.
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const container = connect({ port: containerPort, host: "127.0.0.1", allowHalfOpen: true });
      client.pipe(container).pipe(client);
      // A failure of either side is one of the other, never its orderly end; that is passed on by the pipes, once all is written.
      for (const [one, other] of [
        [client, container],
        [container, client],
      ] as const) {
        sockets.add(one);
        one.on("error", () => other.resetAndDestroy());
        one.on("close", () => sockets.delete(one));
      }
    });
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(portError(hostPort, cause));
    });
    server.listen({ port: hostPort, ...(hostAddress === undefined ? {} : { host: hostAddress }) }, () => {
      // Connections may keep going while the container runs, but never keep this process alive.
      server.unref();
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}
