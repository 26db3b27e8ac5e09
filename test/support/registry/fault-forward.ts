import { type IncomingHttpHeaders, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { firstBytes, flippedLast, flushed, readAll, writeAll } from "./body-damage.ts";
import type { Fault } from "./fault.ts";

/** Sends a request on to the registry at `origin`, with these headers and this body; resolves when the answer begins. */
export function sendOn(
  origin: string,
  request: IncomingMessage,
  headers: IncomingHttpHeaders,
  body: AsyncIterable<Uint8Array>,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = openRequest(`${origin}${request.url ?? "/"}`, { method: request.method, headers, agent: false });
    outgoing.on("response", resolve);
    outgoing.on("error", reject);
    // A client that goes away takes its unfinished request along.
    request.on("close", () => {
      if (!request.complete) outgoing.destroy(new Error("the client went away"));
    });
    void (async () => {
      await writeAll(outgoing, body);
      outgoing.end();
    })().catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))));
  });
}

/** The registry gets a part of the body, and never its last byte: it must not act on what is broken. Resolves when that part has left. */
export async function sendPart(origin: string, request: IncomingMessage, at: number | "middle"): Promise<{ readonly end: () => void }> {
  const length = Number(request.headers["content-length"] ?? 0);
  const part = Math.max(0, Math.min(pointIn(length, at), length - 1));
  if (part === 0) return { end: () => undefined };
  const outgoing = openRequest(`${origin}${request.url ?? "/"}`, { method: request.method, headers: request.headers, agent: false });
  // Whatever becomes of it, nobody hears.
  outgoing.on("error", () => undefined);
  outgoing.on("response", (unheard) => unheard.on("error", () => undefined).resume());
  await writeAll(outgoing, firstBytes(request, part));
  await flushed(outgoing);
  return { end: () => outgoing.destroy() };
}

/** Hands an answer over, unharmed or not; `rewrite` changes its headers. Answers whether it was left unfinished. */
export async function relay(
  from: IncomingMessage,
  to: ServerResponse,
  rewrite: (headers: IncomingHttpHeaders) => IncomingHttpHeaders,
  fault?: Fault,
): Promise<"finished" | "stalled"> {
  const headers = rewrite(from.headers);
  const status = from.statusCode ?? 502;
  switch (fault?.kind) {
    case "lost answer":
      await readAll(from);
      to.destroy();
      return "finished";
    case "cut response":
    case "stall response": {
      to.writeHead(status, headers).flushHeaders();
      await writeAll(to, firstBytes(from, pointIn(Number(headers["content-length"] ?? 0), fault.at)));
      if (fault.kind === "stall response") return "stalled";
      await flushed(to);
      from.destroy();
      to.destroy();
      return "finished";
    }
    case "wrong length": {
      const body = await readAll(from);
      // HEAD has a length and no body.
      const length = Number(headers["content-length"] ?? body.length) + fault.by;
      to.writeHead(status, { ...headers, "content-length": Math.max(0, length) });
      if (body.length > 0) to.write(body.subarray(0, length));
      if (body.length >= length || body.length === 0) to.end();
      else {
        await flushed(to);
        to.destroy();
      }
      return "finished";
    }
    default: {
      to.writeHead(status, headers);
      await writeAll(to, fault?.kind === "flipped byte" && fault.of === "response" ? flippedLast(from) : from);
      to.end();
      return "finished";
    }
  }
}

function pointIn(length: number, at: number | "middle"): number {
  return at === "middle" ? Math.floor(length / 2) : Math.min(at, length);
}
