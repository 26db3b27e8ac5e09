import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { IntegrityError } from "../../../store/errors.ts";
import { type HttpBody, type HttpRequest, openHttp } from "../../../store/registry/http.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { drip, endpointAt, failureOf, type Handler, type LocalServer, listen, serve, settingsWith, textOf } from "./http-fixtures.ts";

function get(host: string, path = "/", more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(path, `http://${host}`), ...more };
}

function bodyOf(...chunks: readonly string[]): HttpBody {
  const bytes = chunks.map((chunk) => Buffer.from(chunk));
  return {
    sizeBytes: bytes.reduce((sum, chunk) => sum + chunk.length, 0),
    open: async function* () {
      yield* bytes;
    },
  };
}

/** Endless zeros, and whether they were closed. */
function endless(sizeBytes: number) {
  const state = { opened: 0, closed: 0, sentBytes: 0 };
  const body: HttpBody = {
    sizeBytes,
    open: async function* () {
      state.opened += 1;
      try {
        for (; state.sentBytes < sizeBytes; state.sentBytes += 65536) yield new Uint8Array(65536);
      } finally {
        state.closed += 1;
      }
    },
  };
  return { body, state };
}

/** Waits until the first connection to the server is gone. */
async function closed({ sockets: [socket] }: LocalServer): Promise<void> {
  // A socket that nobody reads never sees its end.
  if (socket?.closed === false) await new Promise((resolve) => socket.resume().once("close", resolve));
}

describe("a request", () => {
  it("carries method, path, query, headers and body, and gives back all of the answer", async () => {
    const seen: unknown[] = [];
    await using server = await serve(async (request, response) => {
      seen.push([request.method, request.url, request.headers["user-agent"], request.headers["content-length"], await textOf(request)]);
      response.setHeader("WWW-Authenticate", ["Basic realm=a", "Bearer realm=b"]);
      response.writeHead(401, { "X-One": "1" }).end("no");
    });
    await using http = openHttp({ settings: settingsWith(), userAgent: "tsbuild/1" });
    const request: HttpRequest = { ...get(server.host, "/v2/a/?x=%2F&y"), method: "PUT", body: bodyOf("ab", "", "c") };
    const answer = await http.request(endpointAt(server), request);
    expect([answer.status, answer.url.href]).toEqual([401, `http://${server.host}/v2/a/?x=%2F&y`]);
    expect(answer.header("x-one")).toBe("1");
    expect(answer.header("x-two")).toBeUndefined();
    expect(answer.header("constructor")).toBeUndefined();
    expect(answer.headers("www-authenticate")).toEqual(["Basic realm=a", "Bearer realm=b"]);
    expect(answer.header("www-authenticate")).toBe("Basic realm=a, Bearer realm=b");
    expect(await textOf(answer.body)).toBe("no");
    expect(seen).toEqual([["PUT", "/v2/a/?x=%2F&y", "tsbuild/1", "3", "abc"]]);
  });

  it.each<[name: string, request: Partial<HttpRequest>, length: string | undefined]>([
    ["a POST without a body", { method: "POST" }, "0"],
    ["a PUT with an empty body", { method: "PUT", body: bodyOf() }, "0"],
    ["a DELETE without a body", { method: "DELETE" }, undefined],
    ["a GET", { method: "GET" }, undefined],
  ])("announces the length of %s", async (_name, request, length) => {
    let announced: string | undefined = "nothing came";
    await using server = await serve((incoming, response) => {
      announced = incoming.headers["content-length"];
      response.writeHead(204).end();
    });
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), get(server.host, "/", request));
    expect([answer.status, await textOf(answer.body), announced]).toEqual([204, "", length]);
  });

  it("sends no user part of a URL", async () => {
    let authorization: string | undefined;
    await using server = await serve((request, response) => {
      authorization = request.headers.authorization;
      response.end(request.url);
    });
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), { method: "GET", url: new URL(`http://u:secret@${server.host}/p#f`) });
    expect([await textOf(answer.body), answer.url.href, authorization]).toEqual(["/p", `http://${server.host}/p`, undefined]);
  });

  it("follows no redirect and inflates nothing", async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(302, { Location: "/elsewhere", "Content-Encoding": "gzip" }).end("raw");
    });
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), get(server.host));
    expect([answer.status, await textOf(answer.body)]).toEqual([302, "raw"]);
  });

  it("keeps its connection, after HEAD, an empty answer and a discarded one too", async () => {
    await using server = await serve((request, response) => {
      if (request.method === "HEAD") response.writeHead(200, { "Content-Length": 1234 }).end();
      else if (request.method === "PATCH") response.writeHead(202, { "Content-Length": 0 }).end();
      else response.end("x".repeat(1000));
    });
    await using http = openHttp({ settings: settingsWith() });
    const endpoint = endpointAt(server);
    for (const method of ["HEAD", "PATCH", "GET", "HEAD", "GET"] as const) {
      const answer = await http.request(endpoint, get(server.host, "/", { method, ...(method === "PATCH" && { body: bodyOf("abc") }) }));
      await answer.discard();
    }
    expect(server.sockets.length).toBe(1);
  });

  it("opens connections side by side", async () => {
    const waiting: (() => void)[] = [];
    await using server = await serve((_request, response) => {
      waiting.push(() => response.end("ok"));
      if (waiting.length === 3) for (const go of waiting) go();
    });
    await using http = openHttp({ settings: settingsWith() });
    const answers = await Promise.all([1, 2, 3].map(() => http.request(endpointAt(server), get(server.host))));
    expect(await Promise.all(answers.map(({ body }) => textOf(body)))).toEqual(["ok", "ok", "ok"]);
  });
});

describe("an answer's body", () => {
  it("comes only as fast as it is read", async () => {
    let writtenBytes = 0;
    const total = 64 * 2 ** 20;
    await using server = await serve((request, response) => {
      response.writeHead(200, { "Content-Length": total });
      if (request.method === "HEAD") return void response.end();
      const chunk = Buffer.alloc(2 ** 18);
      const write = () => {
        while (writtenBytes < total) {
          writtenBytes += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", write);
        }
        response.end();
      };
      write();
    });
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), get(server.host));
    const iterator = answer.body[Symbol.asyncIterator]();
    let readBytes = (await iterator.next()).value?.length ?? 0;
    // The server can only have filled the buffers in between; a turn of a small request on the side lets it try.
    await (await http.request(endpointAt(server), { ...get(server.host), method: "HEAD" })).discard();
    expect(writtenBytes).toBeLessThan(32 * 2 ** 20);
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) readBytes += next.value.length;
    expect(readBytes).toBe(total);
  });

  it.each<[name: string, leave: (body: AsyncIterable<Uint8Array>) => Promise<void>]>([
    [
      "in a loop",
      async (body) => {
        for await (const _chunk of body) break;
      },
    ],
    ["before anything was read", async (body) => void (await body[Symbol.asyncIterator]().return?.())],
  ])("ends the connection when it is left early: %s", async (_name, leave) => {
    await using server = await serve((_request, response) => {
      response.write("beginning");
    });
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), get(server.host));
    await leave(answer.body);
    await closed(server);
  });

  it("that is long and not wanted is cut off", async () => {
    await using server = await serve((_request, response) => {
      const write = () => {
        while (response.write(Buffer.alloc(2 ** 16)));
      };
      response.on("drain", write);
      write();
    });
    await using http = openHttp({ settings: settingsWith() });
    await (await http.request(endpointAt(server), get(server.host))).discard();
    await closed(server);
  });

  it.each<[name: string, handler: Handler, message: string]>([
    [
      "shorter than announced",
      (_request, response) => {
        response.writeHead(200, { "Content-Length": 100 });
        response.write("0123456789", () => response.destroy());
      },
      "the connection was closed",
    ],
    [
      "chunked without an end",
      (_request, response) => {
        response.write("0123456789", () => response.destroy());
      },
      "the connection was closed",
    ],
    [
      "shorter than announced, on a connection for one answer",
      (_request, response) => {
        response.writeHead(200, { "Content-Length": 100, Connection: "close" });
        response.write("0123456789", () => response.socket?.end());
      },
      "the answer broke off",
    ],
    [
      "chunked without an end, on a connection for one answer",
      (_request, response) => {
        response.writeHead(200, { Connection: "close" });
        response.write("0123456789", () => response.socket?.end());
      },
      "the answer broke off",
    ],
  ])("%s is a passing failure, after what has come", async (_name, handler, message) => {
    await using server = await serve(handler);
    await using http = openHttp({ settings: settingsWith() });
    const answer = await http.request(endpointAt(server), get(server.host));
    let read = "";
    const error = await failureOf(
      (async () => {
        for await (const chunk of answer.body) read += Buffer.from(chunk).toString();
      })(),
    );
    expect(read).toBe("0123456789");
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: true, message: `${server.host}: ${message}` });
  });

  it.each<[name: string, handler: Handler, message: RegExp]>([
    ["that stalls", (_request, response) => response.flushHeaders(), /: the transfer stalled$/],
    ["that stalls behind its beginning", (_request, response) => void response.write("beginning"), /: 9 bytes in 0\.1 s: too slow$/],
    ["that only drips", (_request, response) => drip(response, 10), /: \d bytes in 0\.1 s: too slow$/],
  ])("%s is a passing failure", async (_name, handler, message) => {
    await using server = await serve(handler);
    await using http = openHttp({ settings: settingsWith({ stallTimeoutMs: 100 }) });
    const answer = await http.request(endpointAt(server), get(server.host));
    expect(await failureOf(textOf(answer.body))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
      message: expect.stringMatching(message),
    });
  });

  it("ends with the signal's reason", async () => {
    await using server = await serve((_request, response) => void response.write("beginning"));
    await using http = openHttp({ settings: settingsWith() });
    const cancel = new AbortController();
    const answer = await http.request(endpointAt(server), get(server.host, "/", { signal: cancel.signal }));
    const iterator = answer.body[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    cancel.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    await closed(server);
  });
});

describe("a connection", () => {
  it("that nobody takes is a passing failure", async () => {
    const server = await serve(() => undefined);
    await server[Symbol.asyncDispose]();
    await using http = openHttp({ settings: settingsWith() });
    expect(await failureOf(http.request(endpointAt(server), get(server.host)))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
      message: `${server.host}: the connection is refused (ECONNREFUSED)`,
    });
  });

  it("to a name that is none is final", async () => {
    await using http = openHttp({ settings: settingsWith() });
    const endpoint = endpointAt({ host: "no-such-host.invalid" });
    const error = await failureOf(http.request(endpoint, get("no-such-host.invalid")));
    // Without any name server the system cannot say more than that nobody answers.
    expect(error).toBeInstanceOf(RegistryError);
    expect((error as RegistryError).message).toMatch(
      /^no-such-host\.invalid: the name (does not resolve \(ENOTFOUND\)|server does not answer \(EAI_AGAIN\))$/,
    );
  });

  it("that is closed before an answer is a passing failure", async () => {
    await using server = await serve((request) => request.socket.destroy());
    await using http = openHttp({ settings: settingsWith() });
    expect(await failureOf(http.request(endpointAt(server), get(server.host)))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
      message: `${server.host}: the connection was closed`,
    });
  });

  it("without an answer in time is a passing failure", async () => {
    await using server = await serve(() => undefined);
    await using http = openHttp({ settings: settingsWith({ stallTimeoutMs: 100 }) });
    expect(await failureOf(http.request(endpointAt(server), get(server.host)))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
      message: `${server.host}: no answer in time`,
    });
  });

  it("that does not come about in time is a passing failure", async () => {
    // TLS that is never answered: a connection without TLS stands as soon as the kernel takes it.
    await using server = await listen(createServer());
    await using http = openHttp({ settings: settingsWith({ connectTimeoutMs: 100 }) });
    const endpoint = endpointAt(server, { origin: `https://${server.host}` });
    expect(await failureOf(http.request(endpoint, { method: "GET", url: new URL(endpoint.origin) }))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable: true,
      message: `${server.host}: no connection in time (ETIMEDOUT)`,
    });
  });

  it("to something that is not HTTP is final, and what it said is in no error", async () => {
    await using server = await listen(createServer((socket) => void socket.end("220 token=secret ESMTP\r\n")));
    await using http = openHttp({ settings: settingsWith() });
    const error = await failureOf(http.request(endpointAt(server), get(server.host)));
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: false });
    expect((error as RegistryError).cause).toBeUndefined();
    expect(String(error)).toMatch(/: what it answers is not HTTP$/);
  });

  it("ends with the signal's reason while it is being opened, and before", async () => {
    await using server = await listen(createServer());
    await using http = openHttp({ settings: settingsWith() });
    const endpoint = endpointAt(server, { origin: `https://${server.host}` });
    const cancel = new AbortController();
    const request = { method: "GET", url: new URL(endpoint.origin), signal: cancel.signal } as const;
    const answer = http.request(endpoint, request);
    await once(server.server, "connection");
    cancel.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    await expect(http.request(endpoint, request)).rejects.toThrow("enough");
  });

  it("that is being opened ends with close()", async () => {
    await using server = await listen(createServer());
    const http = openHttp({ settings: settingsWith() });
    const endpoint = endpointAt(server, { origin: `https://${server.host}` });
    const answer = failureOf(http.request(endpoint, { method: "GET", url: new URL(endpoint.origin) }));
    await once(server.server, "connection");
    await http.close();
    await http.close();
    expect(await answer).toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: false });
    await closed(server);
  });
});

describe("a request's body", () => {
  it("is not sent on when the answer comes before its end", async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(413, { Connection: "close" }).end("too large");
    });
    await using http = openHttp({ settings: settingsWith() });
    const { body, state } = endless(2 ** 30);
    const answer = await http.request(endpointAt(server), get(server.host, "/", { method: "PATCH", body }));
    expect([answer.status, await textOf(answer.body)]).toEqual([413, "too large"]);
    await expect.poll(() => state.closed).toBe(1);
    expect(state.sentBytes).toBeLessThan(2 ** 29);
  });

  it("is closed when the connection breaks", async () => {
    await using server = await serve((request) => void request.once("data", () => request.socket.resetAndDestroy()));
    await using http = openHttp({ settings: settingsWith() });
    const { body, state } = endless(2 ** 30);
    const error = await failureOf(http.request(endpointAt(server), get(server.host, "/", { method: "PUT", body })));
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: true });
    await expect.poll(() => state.closed).toBe(1);
  });

  it("that nobody takes is a passing failure", async () => {
    await using server = await listen(createServer((socket) => void socket.pause()));
    await using http = openHttp({ settings: settingsWith({ stallTimeoutMs: 200 }) });
    const { body } = endless(2 ** 30);
    const error = await failureOf(http.request(endpointAt(server), get(server.host, "/", { method: "PUT", body })));
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE", retryable: true, message: `${server.host}: no answer in time` });
  });

  it.each([
    ["longer", 2, "2 bytes", "6 or more bytes"],
    ["shorter", 9, "9 bytes", "6 bytes"],
  ])("that is %s than announced is an error, and no request that ends", async (_name, sizeBytes, expected, actual) => {
    const complete: boolean[] = [];
    await using server = await serve((request, response) => {
      request.on("error", () => undefined).on("close", () => complete.push(request.complete));
      request.resume().on("end", () => response.end());
    });
    await using http = openHttp({ settings: settingsWith() });
    const body = { ...bodyOf("abcdef"), sizeBytes };
    const error = await failureOf(http.request(endpointAt(server), get(server.host, "/", { method: "PUT", body })));
    expect(error).toBeInstanceOf(IntegrityError);
    expect(String(error)).toBe(`IntegrityError: sending a body: expected ${expected}, got ${actual}`);
    expect(complete.filter(Boolean)).toEqual([]);
  });

  it("passes on what its source throws, as it is", async () => {
    await using server = await serve((request) => void request.on("error", () => undefined).resume());
    await using http = openHttp({ settings: settingsWith() });
    const broken = new Error("the disk is gone");
    const body: HttpBody = {
      sizeBytes: 10,
      open: async function* () {
        yield new Uint8Array(5);
        throw broken;
      },
    };
    expect(await failureOf(http.request(endpointAt(server), get(server.host, "/", { method: "PUT", body })))).toBe(broken);
  });

  it("is given up with the signal", async () => {
    await using server = await serve((request) => void request.on("error", () => undefined).resume());
    await using http = openHttp({ settings: settingsWith() });
    const cancel = new AbortController();
    const { body, state } = endless(2 ** 40);
    const answer = http.request(endpointAt(server), get(server.host, "/", { method: "PUT", body, signal: cancel.signal }));
    await expect.poll(() => state.sentBytes).toBeGreaterThan(2 ** 20);
    cancel.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    await expect.poll(() => state.closed).toBe(1);
  });
});
