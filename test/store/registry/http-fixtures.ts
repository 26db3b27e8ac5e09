import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket, Server as TcpServer } from "node:net";
import { join } from "node:path";
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

/** An authority and what it signed, as PEM files in one directory. */
export interface Authority {
  /** Its certificate's path. */
  readonly ca: string;
  /** Signs a certificate for a server or a client: paths of the PEM files, and their text. */
  issue(
    name: string,
    alternatives?: string,
  ): { readonly certFile: string; readonly keyFile: string; readonly cert: string; readonly key: string };
}

export function makeAuthority(directory: string, name = "ca"): Authority {
  const file = (leaf: string) => join(directory, leaf);
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", file(`${name}.key`), "-out", file(`${name}.crt`), "-days", "2", "-subj", `/CN=${name}`);
  return {
    ca: file(`${name}.crt`),
    issue: (leaf, alternatives = "IP:127.0.0.1,DNS:localhost") => {
      const certFile = file(`${leaf}.cert`);
      const keyFile = file(`${leaf}.key`);
      writeFileSync(file(`${leaf}.ext`), `subjectAltName=${alternatives}\n`);
      openssl("req", ...newKey, "-keyout", keyFile, "-out", file(`${leaf}.csr`), "-subj", `/CN=${leaf}`);
      openssl(
        ...["x509", "-req", "-in", file(`${leaf}.csr`), "-CA", file(`${name}.crt`), "-CAkey", file(`${name}.key`), "-CAcreateserial"],
        ...["-days", "2", "-extfile", file(`${leaf}.ext`), "-out", certFile],
      );
      return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    },
  };
}
