import type { Socket } from "node:net";
import { dialer, type Route } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";
import { type FailureContext, notInTime } from "./http-failure.ts";
import { type ProxyVariables, proxyFor } from "./proxy.ts";
import { proxyAuthorization } from "./proxy-tunnel.ts";
import type { RegistrySettings } from "./settings.ts";
import { tlsIdentity } from "./tls.ts";
import type { Connector, Dispatcher } from "./undici.ts";

export interface ConnectionOptions {
  readonly settings: RegistrySettings;
  readonly proxy: ProxyVariables;
  /** Files with the authorities that the system trusts; the first that exists is read. */
  readonly systemBundles?: readonly string[] | undefined;
}

/** Where requests to one origin are put. */
export interface Line {
  readonly dispatcher: Dispatcher;
  readonly failures: FailureContext;
  /** What a request of this URL asks for on this line. */
  path(url: URL): string;
  /** Headers that every request on it needs. */
  readonly headers: Readonly<Record<string, string>>;
  /** To be called when the beginning of an answer has come, or none will: a line for one request ends with its answer, others are kept. */
  leave(): void;
}

/** Kept connections, for each origin and way of speaking to it. */
export interface Connections {
  /** `alone`: the line is for one request. Throws CERTIFICATE_UNREADABLE and INVALID_PROXY. */
  line(endpoint: Endpoint, url: URL, alone?: boolean): Promise<Line>;
  /** Ends all of them, those that are being opened too. */
  close(): Promise<void>;
}

/** Shorter than servers and balancers usually keep idle connections (60 s and more), long enough for the pauses of a build. */
const idleMs = 20_000;

export function openConnections({ settings, proxy: variables, systemBundles }: ConnectionOptions): Connections {
  const lines = new Map<string, Promise<Line>>();
  const closing = new AbortController();
  let opened = 0;

  const open = async (url: URL, names: readonly string[], insecure: boolean): Promise<Omit<Line, "leave">> => {
    const proxy = proxyFor(url, variables);
    const failures = { host: url.host, registry: names[0] ?? url.host, ...(proxy !== undefined && { proxy: proxy.host }) };
    const identity = url.protocol === "https:" ? await tlsIdentity(names, settings, systemBundles) : undefined;
    const route: Route = { url, failures, insecure, ...(proxy && { proxy }), ...(identity && { tls: identity }) };
    const { loadPool } = await import("./undici.ts");
    const Pool = await loadPool();
    closing.signal.throwIfAborted();
    const dispatcher = new Pool(url.origin, {
      connect: connector(route, settings.connectTimeoutMs, closing.signal),
      headersTimeout: settings.stallTimeoutMs,
      // The pace of answers is watched while they are read.
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
    });
    // A proxy that passes plain http on wants the whole URL, and its own authorisation with each request.
    const forwarded = proxy !== undefined && url.protocol === "http:";
    const authorization = proxy === undefined ? undefined : proxyAuthorization(proxy);
    return {
      dispatcher,
      failures: { ...failures, reached: true },
      path: ({ origin, pathname, search }) => `${forwarded ? origin : ""}${pathname}${search}`,
      headers: forwarded && authorization !== undefined ? { "proxy-authorization": authorization } : {},
    };
  };

  return {
    line: (endpoint, url, alone = false) => {
      const own = url.host === new URL(endpoint.origin).host;
      const names = own ? [...new Set([endpoint.registry, url.host])] : [url.host];
      opened += 1;
      const key = JSON.stringify([url.origin, endpoint.insecure, names, alone ? opened : 0]);
      const leave = async ({ dispatcher }: Pick<Line, "dispatcher">) => {
        if (!alone) return;
        // Waits for what is under way. Whether it came to its end no longer matters to anyone.
        await dispatcher.close().catch(() => undefined);
        lines.delete(key);
      };
      const line = lines.get(key) ?? open(url, names, endpoint.insecure).then((made) => ({ ...made, leave: () => void leave(made) }));
      lines.set(key, line);
      return line;
    },
    close: async () => {
      closing.abort(new Error("the connections were closed"));
      const made = await Promise.allSettled(lines.values());
      await Promise.all(made.map(async (result) => (result.status === "fulfilled" ? result.value.dispatcher.destroy() : undefined)));
    },
  };
}

function connector(route: Route, timeoutMs: number, closing: AbortSignal): Connector {
  const dial = dialer(route);
  return (_options, callback) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    dial(AbortSignal.any([timeout, closing])).then(
      (socket: Socket) => callback(null, socket),
      (error: Error) => callback(error === timeout.reason ? notInTime() : error, null),
    );
  };
}
