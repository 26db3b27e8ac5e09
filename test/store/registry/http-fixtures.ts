import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket, Server as TcpServer } from "node:net";
import type { Endpoint } from "../../../store/registry/endpoint.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";

/** A server of this process, on a free port of 127.0.0.1. */
export interface LocalServer extends AsyncDisposable {
  /** "127.0.0.1:40123". */
  readonly host: string;
  readonly port: number;
  readonly server: TcpServer;
  /** Sockets that were ever accepted. */
  readonly sockets: readonly Socket[];
}

export async function listen(server: TcpServer): Promise<LocalServer> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    port,
    server,
    sockets,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function serve(handler: Handler): Promise<LocalServer> {
  return listen(createServer(handler as RequestListener) as Server);
}

export function serveTls(options: ServerOptions, handler: Handler): Promise<LocalServer> {
  return listen(createTlsServer(options, handler));
}

/** A byte of the body every so many milliseconds, without end. */
export function drip(response: ServerResponse, everyMs: number): void {
  const timer = setInterval(() => response.write("."), everyMs);
  response.on("close", () => clearInterval(timer));
  response.flushHeaders();
}

/** The registry at a server of ours, spoken to over plain http unless told otherwise. */
export function endpointAt({ host }: { readonly host: string }, changes: Partial<Endpoint> = {}): Endpoint {
  return { registry: host, origin: `http://${host}`, repository: "app", insecure: false, ...changes };
}

export function settingsWith(changes: Partial<RegistrySettings> = {}): RegistrySettings {
  return { ...defaultRegistrySettings, connectTimeoutMs: 5_000, stallTimeoutMs: 5_000, ...changes };
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** What a promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("it succeeded");
    },
    (error: unknown) => error,
  );
}
