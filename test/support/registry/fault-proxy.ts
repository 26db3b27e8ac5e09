import { createServer, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { flippedLast, readAll } from "./body-damage.ts";
import { routeOf } from "./fake-routes.ts";
import type { Fault, Step } from "./fault.ts";
import { relay, sendOn, sendPart } from "./fault-forward.ts";
import { closeServer, listenLocally } from "./local-server.ts";

/** A reverse proxy that does harm at one chosen step. */
export interface FaultProxy extends AsyncDisposable {
  /** What clients take for the registry: "127.0.0.1:1234". */
  readonly host: string;
  /** Requests so far, in the order in which they began. */
  steps(): readonly Step[];
  /** How often the fault that was armed last has happened. */
  hits(): number;
  /** Authorization headers that arrived at the host that faults redirect to. */
  readonly leaks: readonly string[];
  /** From this step on, for `times` requests of its method and kind of path. Counts steps from 1 again. */
  arm(step: Step, fault: Fault, times?: number): void;
  /** A fault besides the armed ones. Steps are counted on. */
  armToo(step: Step, fault: Fault, times?: number): void;
  /** Passes everything on unharmed; counts steps from 1 again. */
  disarm(): void;
  close(): Promise<void>;
}

interface Armed {
  readonly step: Step;
  readonly fault: Fault;
  readonly times: number;
  hits: number;
}

/** In front of a registry that speaks plain http at `upstream` ("http://127.0.0.1:1234"); realms there are rewritten to the proxy. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  let armed: Armed[] = [];
  let steps: Step[] = [];
  const leaks: string[] = [];
  const stalled: (() => void)[] = [];
  /** What was sent with the request that was redirected: the other host shows it to the registry, having no need of the client's. */
  let proof: string | undefined;
  const origins = { proxy: "", other: "" };
  const rewrite = (headers: IncomingHttpHeaders) => {
    // Whether a connection is kept is each side's own matter.
    const { "www-authenticate": challenge, connection: _connection, ...others } = headers;
    return challenge === undefined ? others : { ...others, "www-authenticate": challenge.replaceAll(upstream, origins.proxy) };
  };

  const nextStep = (request: IncomingMessage): Step => {
    const method = request.method ?? "GET";
    const route = routeOf(new URL(request.url ?? "/", upstream).pathname).kind;
    const step = { method, route, nth: steps.filter((one) => one.method === method && one.route === route).length + 1 };
    steps.push(step);
    return step;
  };

  const faultAt = ({ method, route, nth }: Step): Fault | undefined => {
    const found = armed.find(
      ({ step, times }) => step.method === method && step.route === route && nth >= step.nth && nth < step.nth + times,
    );
    if (found !== undefined) found.hits += 1;
    return found?.fault;
  };

  const pass = async (request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): Promise<void> => {
    const unspoilt = request.iterator({ destroyOnReturn: false });
    const forward = async (headers: IncomingHttpHeaders, body: AsyncIterable<Uint8Array> = unspoilt) => {
      const end = await relay(await sendOn(upstream, request, headers, body), response, rewrite, fault);
      // An answer in the middle of a body leaves the rest of it.
      request.resume();
      if (end === "stalled") stalled.push(() => response.destroy());
    };
    switch (fault?.kind) {
      case "reset":
        request.socket.resetAndDestroy();
        return;
      case "refused connections":
        await refuse(fault.forMs);
        return;
      case "rate limited":
        return answer(request, response, 429, "TOOMANYREQUESTS", fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter });
      case "server error":
        return answer(request, response, fault.status, "UNKNOWN");
      case "redirect":
        proof = request.headers.authorization;
        return answer(request, response, fault.status, "MOVED", { location: `${origins.other}${request.url ?? "/"}` });
      case "expired token":
        fault.expire();
        return forward(request.headers);
      case "unauthorized":
        return forward(without(request.headers, "authorization"));
      case "chunk out of order":
        return forward({ ...request.headers, "content-range": shifted(request.headers) });
      case "sent twice": {
        const body = await readAll(request);
        await readAll(await sendOn(upstream, request, request.headers, once(body)));
        return forward(request.headers, once(body));
      }
      case "flipped byte":
        return forward(request.headers, fault.of === "request" ? flippedLast(request) : unspoilt);
      case "cut request": {
        const { end } = await sendPart(upstream, request, fault.at);
        end();
        request.socket.destroy();
        return;
      }
      case "stall request": {
        const { end } = await sendPart(upstream, request, fault.at);
        request.pause();
        response.on("close", end);
        stalled.push(() => response.destroy());
        return;
      }
      default:
        return forward(request.headers);
    }
  };

  const server = createServer((request, response) => {
    const fault = faultAt(nextStep(request));
    void pass(request, response, fault).catch(() => request.socket.destroy());
  });
  const other = createServer((request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined) leaks.push(authorization);
    const headers = { ...without(request.headers, "authorization"), ...(proof === undefined ? {} : { authorization: proof }) };
    void (async () => relay(await sendOn(upstream, request, headers, request), response, rewrite))().catch(() => request.socket.destroy());
  });

  const port = await listenLocally(server);
  origins.proxy = `http://127.0.0.1:${port}`;
  origins.other = `http://127.0.0.1:${await listenLocally(other)}`;

  let reopening: Promise<void> | undefined;
  /** All connections end now, and new ones are refused for a while. */
  const refuse = async (forMs: number) => {
    await closeServer(server);
    reopening = (async () => {
      await new Promise((resolve) => setTimeout(resolve, forMs));
      await listenLocally(server, port);
    })();
    await reopening;
  };

  const arm = (...next: Armed[]) => {
    steps = [];
    proof = undefined;
    for (const end of stalled.splice(0)) end();
    armed = next;
  };
  const close = async () => {
    arm();
    await reopening;
    await Promise.all([closeServer(server), closeServer(other)]);
  };
  return {
    host: `127.0.0.1:${port}`,
    steps: () => steps,
    hits: () => armed.at(-1)?.hits ?? 0,
    leaks,
    arm: (step, fault, times = 1) => arm({ step, fault, times, hits: 0 }),
    armToo: (step, fault, times = 1) => {
      armed.push({ step, fault, times, hits: 0 });
    },
    disarm: () => arm(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** An answer of the proxy's own. It comes before the body was read, as those of gateways do; the connection ends with it. */
function answer(request: IncomingMessage, response: ServerResponse, status: number, code: string, headers: OutgoingHttpHeaders = {}): void {
  const body = JSON.stringify({ errors: [{ code, message: `fault ${status}` }] });
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers });
  response.end(request.method === "HEAD" ? undefined : body);
  request.resume();
}

function without(headers: IncomingHttpHeaders, name: string): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
}

/** The chunk's range, or that of a body sent as one, one byte further on. */
function shifted(headers: IncomingHttpHeaders): string {
  const [start = 0, end = Number(headers["content-length"] ?? 1) - 1] = (headers["content-range"] ?? "").match(/\d+/g)?.map(Number) ?? [];
  return `${start + 1}-${end + 1}`;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
