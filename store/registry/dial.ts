import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import { closedEarly, codeOf, connectionFailure, type FailureContext } from "./http-failure.ts";
import { openTunnel } from "./proxy-tunnel.ts";
import type { TlsIdentity } from "./tls.ts";
import { isUnknownAuthority } from "./tls-failure.ts";

/** How sockets to one origin are opened. */
export interface Route {
  readonly url: URL;
  readonly failures: Omit<FailureContext, "reached">;
  /** Of an https origin. */
  readonly tls?: TlsIdentity;
  /** Certificates are not checked. */
  readonly insecure: boolean;
  /** In between: a tunnel for https; for http it is the proxy itself that is connected to. */
  readonly proxy?: URL;
}

/** A ready socket: connected, through the proxy where there is one, TLS agreed on. Throws RegistryError; when the signal aborts, its reason. */
export type Dial = (signal: AbortSignal) => Promise<Socket>;

export function dialer(route: Route): Dial {
  const { url, tls, insecure, proxy } = route;
  let reached = false;
  let session: Buffer | undefined;
  let context: SecureContext | undefined = tls?.likely;

  const plainSocket = async (signal: AbortSignal): Promise<Socket> => {
    if (proxy === undefined) return opened(connectTcp({ host: bareHost(url), port: portOf(url) }), "connect", signal);
    const toProxy = await opened(connectTcp({ host: bareHost(proxy), port: portOf(proxy) }), "connect", signal);
    const socket = proxy.protocol === "https:" ? await secured(toProxy, proxy, {}, signal) : toProxy;
    return url.protocol === "https:" ? openTunnel(socket, `${bareHost(url, "[]")}:${portOf(url)}`, proxy, signal) : socket;
  };

  const attempt = async (signal: AbortSignal): Promise<Socket> => {
    const socket = await plainSocket(signal);
    if (url.protocol !== "https:") return socket;
    const options = {
      rejectUnauthorized: !insecure,
      ALPNProtocols: ["http/1.1"],
      ...(context && { secureContext: context }),
      ...(session && { session }),
    };
    return secured(socket, url, options, signal, (ticket) => {
      session = ticket;
    });
  };

  return async (signal) => {
    try {
      const socket = await attempt(signal).catch(async (error: unknown) => {
        // Nothing has been sent yet: once more with all whom the system trusts.
        if (tls === undefined || !isUnknownAuthority(codeOf(error)) || context !== tls.likely) throw error;
        context = await tls.complete();
        return attempt(signal);
      });
      reached = true;
      return socket.setNoDelay(true).setKeepAlive(true, 60_000);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw connectionFailure(error, { ...route.failures, reached });
    }
  };
}

async function secured(
  socket: Socket,
  url: URL,
  options: {
    readonly rejectUnauthorized?: boolean;
    readonly secureContext?: SecureContext;
    readonly session?: Buffer;
    readonly ALPNProtocols?: string[];
  },
  signal: AbortSignal,
  onSession?: (session: Buffer) => void,
): Promise<Socket> {
  const host = bareHost(url);
  // An address is no server name (RFC 6066 §3); certificates are checked against `host` all the same.
  const secure = connectTls({ ...options, socket, host, servername: isIP(host) === 0 ? host : "" });
  if (onSession !== undefined) secure.on("session", onSession);
  await opened(secure, "secureConnect", signal);
  // Node only reports what the server says in an alert (a certificate is missing, say) and then ends the socket as if nothing were wrong.
  return secure.on("error", (error) => void secure.destroy(error));
}

/** Waits until a socket that is being opened stands. What fails or is given up is destroyed. */
export function opened<S extends Socket>(socket: S, event: "connect" | "secureConnect", signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off(event, onOpen).off("error", onError).off("close", onClose);
      signal.removeEventListener("abort", onAbort);
    };
    const onOpen = () => {
      settle();
      resolve(socket);
    };
    const fail = (error: unknown) => {
      settle();
      // What else the dying socket says is of no use to anyone.
      socket.on("error", () => undefined).destroy();
      reject(error);
    };
    const onError = (error: Error) => fail(error);
    const onClose = () => fail(closedEarly());
    const onAbort = () => fail(signal.reason);
    socket.once(event, onOpen).once("error", onError).once("close", onClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function portOf(url: URL): number {
  return url.port !== "" ? Number(url.port) : url.protocol === "https:" ? 443 : 80;
}

/** The host without port, and without the brackets of an IPv6 address unless they are wanted. */
function bareHost(url: URL, brackets?: "[]"): string {
  return brackets === undefined ? url.hostname.replace(/^\[(.*)\]$/, "$1") : url.hostname;
}
