import { connect, createServer, type Socket } from "node:net";
import { listenLocally } from "./local-server.ts";

/** A line to a server on which no connection lasts long. */
export interface CuttingLine extends AsyncDisposable {
  /** What clients take for the server: "127.0.0.1:1234". */
  readonly host: string;
  /** Connections that it broke. */
  breaks(): number;
}

/** To the server at `host`: a connection breaks when so many bytes have gone there over it. */
export async function startCuttingLine(host: string, lastsBytes: number): Promise<CuttingLine> {
  const { hostname, port } = new URL(`http://${host}`);
  const sockets = new Set<Socket>();
  let breaks = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // What breaks is the point of it.
    socket.on("error", () => undefined);
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) keep(socket);
    client.on("close", () => upstream.destroy());
    upstream.pipe(client);
    upstream.on("drain", () => client.resume());
    let leftBytes = lastsBytes;
    client.on("end", () => upstream.end());
    client.on("data", (chunk) => {
      if (chunk.length > leftBytes) {
        breaks += 1;
        client.removeAllListeners("data").pause();
        upstream.write(chunk.subarray(0, leftBytes), () => client.resetAndDestroy());
        return;
      }
      leftBytes -= chunk.length;
      if (!upstream.write(chunk)) client.pause();
    });
  });
  const own = `127.0.0.1:${await listenLocally(server)}`;
  return {
    host: own,
    breaks: () => breaks,
    [Symbol.asyncDispose]: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}
