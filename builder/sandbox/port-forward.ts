import { connect, createServer, type Server } from "node:net";
import { TsbuildError } from "../../store/errors.ts";
import type { PortMapping } from "../run-options.ts";

/**
 * Publishes ports of a container that shares the host's network: a port that is the same on both sides is already reachable,
 * any other is relayed from the host's port to loopback. Throws PORT_IN_USE, UNSUPPORTED_PORT.
 */
export async function publishPorts(ports: readonly PortMapping[]): Promise<{ close(): Promise<void> }> {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  };
  try {
    for (const port of ports) {
      if (port.hostPort === port.containerPort && port.hostAddress === undefined) continue;
      if (port.protocol !== "tcp") {
        throw new TsbuildError(
          "UNSUPPORTED_PORT",
          `publishing ${port.hostPort}:${port.containerPort}/${port.protocol}: only tcp ports can be mapped to another number`,
        );
      }
      if (port.hostPort === port.containerPort) {
        throw new TsbuildError(
          "UNSUPPORTED_PORT",
          `publishing ${port.hostAddress}:${port.hostPort}: the container shares the host's network and listens on its own address`,
          {
            hint: "leave out the address, or choose another port of the host",
          },
        );
      }
      servers.push(await relay(port));
    }
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

function relay({ hostAddress, hostPort, containerPort }: PortMapping): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((client) => {
      const container = connect(containerPort, "127.0.0.1");
      client.pipe(container).pipe(client);
      // Either side's end or failure ends the other.
      for (const [one, other] of [
        [client, container],
        [container, client],
      ] as const) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
      }
    });
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      reject(
        new TsbuildError(
          taken ? "PORT_IN_USE" : "PORT_UNAVAILABLE",
          `publishing port ${hostPort}: ${taken ? "another program listens on it" : cause.message}`,
          { cause },
        ),
      );
    });
    server.listen({ port: hostPort, ...(hostAddress === undefined ? {} : { host: hostAddress }) }, () => {
      // Connections may keep going while the container runs, but never keep this process alive.
      server.unref();
      resolve(server);
    });
  });
}
