import type { Socket } from "node:net";
import { closedEarly } from "./http-failure.ts";
import { RegistryError } from "./registry-error.ts";

/** More than a proxy's answer to CONNECT can need. */
const longestAnswer = 16 * 1024;

/**
 * Asks an HTTP proxy for a tunnel (RFC 9110 §9.3.6) to "host:port" on a socket that is connected to it; the socket then belongs to the tunnel.
 * Throws RegistryError when the proxy says no, and destroys the socket.
 */
export async function openTunnel(socket: Socket, target: string, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const authorization = proxyAuthorization(proxy);
  const lines = [
    `CONNECT ${target} HTTP/1.1`,
    `Host: ${target}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
  ];
  try {
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    const head = await answerHead(socket, signal);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
    if (status < 200 || status > 299) throw refused(proxy.host, target, status);
    return socket;
  } catch (error) {
    socket.on("error", () => undefined).destroy();
    throw error;
  }
}

/** Value of Proxy-Authorization for a proxy that is given with a name and a password. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`;
}

function refused(proxy: string, target: string, status: number): RegistryError {
  const problem = status === 0 ? "answers with something that is not HTTP" : `answers ${status}`;
  return new RegistryError("REGISTRY_UNREACHABLE", `the proxy ${proxy}, asked for a tunnel to ${target}, ${problem}`, {
    ...(status > 0 && { status }),
    retryable: status === 502 || status === 503 || status === 504,
    ...(status === 407 && { hint: "the proxy asks for a name and a password: http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY" }),
  });
}

/** Everything up to the empty line; what follows it stays in the socket. */
function answerHead(socket: Socket, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const settle = () => {
      socket.off("data", onData).off("error", fail).off("close", onClose).pause();
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const onClose = () => fail(closedEarly());
    const onAbort = () => fail(signal.reason);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0 && head.length <= longestAnswer) return;
      settle();
      if (end >= 0 && head.length > end + 4) socket.unshift(head.subarray(end + 4));
      resolve(head.subarray(0, Math.max(end, 0)).toString("latin1"));
    };
    socket.on("data", onData).once("error", fail).once("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
