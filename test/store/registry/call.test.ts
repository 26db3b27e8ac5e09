import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import type { Authorizer } from "../../../store/registry/authorizer.ts";
import { type Call, openCaller } from "../../../store/registry/call.ts";
import type { Endpoint } from "../../../store/registry/endpoint.ts";
import { openHttp } from "../../../store/registry/http.ts";
import { retryPolicy } from "../../../store/registry/retry.ts";
import { needs } from "../../support/needs.ts";
import { privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { endpointAt, failureOf, type LocalServer, serve, serveTls, settingsWith, textOf } from "./http-fixtures.ts";

/** A server that writes down what it is asked: "GET /v2/app/x with token-1". */
async function scripted(handler: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const asked: string[] = [];
  const server = await serve(async (request, response) => {
    const body = await textOf(request).catch(() => "cut off");
    asked.push(
      `${request.method} ${request.url}${request.headers.authorization === undefined ? "" : ` with ${request.headers.authorization}`}`,
    );
    handler(request, response, body);
  });
  return { ...server, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Hands out token-1, and after each challenge the next one, as many as there are. */
function tokens(count: number, first = 0) {
  const refused: unknown[] = [];
  let current = first;
  const authorizer: Authorizer = {
    authorization: async () => (current === 0 ? undefined : `token-${current}`),
    challenge: async (_endpoint, _scopes, answer) => {
      refused.push(answer);
      if (current >= count) return false;
      current += 1;
      return true;
    },
    sent: async (_endpoint, authorization) =>
      authorization === undefined ? { kind: "none" } : { kind: "some", place: { where: authorization } },
  };
  return { authorizer, refused };
}

const settings = settingsWith({ attempts: 4 });

/** Makes a call of its own Http, with a policy that does not really wait. */
async function call(
  server: LocalServer,
  changes: Partial<Call> = {},
  { authorizer = tokens(0).authorizer, endpoint = endpointAt(server) } = {},
) {
  await using http = openHttp({ settings, systemBundles: [] });
  const retry = retryPolicy(settings, { sleep: async () => undefined, random: () => 0 });
  const caller = openCaller({ http, authorizer, retry });
  const given: Call = { doing: "testing", method: "GET", target: "manifests/latest", scopes: [], expect: [200], ...changes };
  const { status, url, body } = await caller.call(endpoint, given);
  return { status, url: url.href, text: await textOf(body) };
}

const body = (text: string) => ({
  sizeBytes: text.length,
  open: async function* () {
    yield Buffer.from(text);
  },
});

describe("a call", () => {
  it.each<[name: string, changes: Partial<Call>, endpoint: Partial<Endpoint>, url: string]>([
    ["to the root of the API", { target: "" }, {}, "/v2/"],
    ["below a repository", { target: "blobs/sha256:ab" }, { repository: "a/b" }, "/v2/a/b/blobs/sha256:ab"],
    ["with a query", { target: "tags/list", query: { n: "5", last: "a b&c" } }, {}, "/v2/app/tags/list?n=5&last=a+b%26c"],
    ["with an empty query", { query: {} }, {}, "/v2/app/manifests/latest"],
    ["to a mirror", { query: { a: "b" } }, { mirrorOf: "docker.io" }, "/v2/app/manifests/latest?a=b&ns=docker.io"],
  ])("%s", async (_name, changes, endpoint, url) => {
    await using server = await scripted((_request, response) => void response.end("ok"));
    expect(await call(server, changes, { endpoint: endpointAt(server, endpoint) })).toMatchObject({ status: 200, text: "ok" });
    expect(server.asked).toEqual([`GET ${url}`]);
  });

  it("to a whole URL keeps its query byte for byte", async () => {
    await using server = await scripted((_request, response) => void response.end());
    const target = new URL(`http://${server.host}/upload/1?_state=a%20b~+c&x`);
    await call(server, { target, query: { digest: "sha256:ab" } }, { endpoint: endpointAt(server, { mirrorOf: "docker.io" }) });
    await call(server, { target: new URL(`http://${server.host}/upload/2`), query: { digest: "sha256:ab" } });
    expect(server.asked).toEqual(["GET /upload/1?_state=a%20b~+c&x&digest=sha256%3Aab", "GET /upload/2?digest=sha256%3Aab"]);
  });

  it("throws what is no answer to it, and says what was being done", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}'));
    expect(await failureOf(call(server))).toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      status: 404,
      diagnostics: [{ code: "NAME_UNKNOWN", message: "" }],
      message: `testing: ${server.host} answers 404 not found: [NAME_UNKNOWN]`,
    });
    expect(await call(server, { expect: [200, 404] })).toMatchObject({ status: 404 });
  });

  it("says in failures of the body, too, what was being done", async () => {
    await using server = await scripted((_request, response) => {
      response.writeHead(200, { "Content-Length": 10 });
      response.write("x", () => response.destroy());
    });
    expect(await failureOf(call(server))).toMatchObject({ message: `testing: ${server.host}: the connection was closed`, retryable: true });
  });

  it("is repeated while it fails for a passing reason, with the whole body", async () => {
    const bodies: string[] = [];
    const messages: string[] = [];
    await using server = await scripted((_request, response, text) => {
      bodies.push(text);
      if (bodies.length === 1) response.destroy();
      else response.writeHead(bodies.length === 2 ? 503 : 201, { "Retry-After": "2" }).end();
    });
    const onRetry = (message: string) => messages.push(message);
    expect(await call(server, { method: "PUT", body: body("abc"), expect: [201], onRetry })).toMatchObject({ status: 201 });
    expect(bodies).toEqual(["abc", "abc", "abc"]);
    expect(messages).toEqual([
      `testing: ${server.host}: the connection was closed; next try in 0.0 s`,
      `testing: ${server.host} answers 503 service unavailable; next try in 2.0 s`,
    ]);
  });

  it("is repeated no oftener than the policy says", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(500).end());
    expect(await failureOf(call(server))).toMatchObject({
      message: `testing: ${server.host} answers 500 internal server error (4 tries)`,
      retryable: false,
    });
    expect(server.asked.length).toBe(4);
  });

  it("is made once when its caller wants it so", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(500).end());
    expect(await failureOf(call(server, { once: true }))).toMatchObject({ retryable: true, status: 500 });
    expect(server.asked.length).toBe(1);
  });

  it("ends with the signal's reason", async () => {
    const cancel = new AbortController();
    await using server = await scripted(() => cancel.abort(new Error("enough")));
    await expect(call(server, { signal: cancel.signal })).rejects.toThrow("enough");
    expect(server.asked.length).toBe(1);
  });
});

describe("authorisation", () => {
  it("is sent from the first request on when it is known", async () => {
    await using server = await scripted((_request, response) => void response.end());
    await call(server, {}, { authorizer: tokens(1, 1).authorizer });
    expect(server.asked).toEqual(["GET /v2/app/manifests/latest with token-1"]);
  });

  it("answers a 401 and sends the whole body again, of a call that is made once, too", async () => {
    const bodies: string[] = [];
    await using server = await scripted((request, response, text) => {
      bodies.push(text);
      const known = request.headers.authorization === "token-2";
      response.writeHead(known ? 202 : 401, { "WWW-Authenticate": ["Basic realm=a", "Bearer realm=b"] }).end();
    });
    const { authorizer, refused } = tokens(2, 1);
    expect(await call(server, { method: "PATCH", body: body("abc"), expect: [202], once: true }, { authorizer })).toMatchObject({
      status: 202,
    });
    expect(bodies).toEqual(["abc", "abc"]);
    expect(refused).toEqual([{ wwwAuthenticate: ["Basic realm=a", "Bearer realm=b"], refused: "token-1" }]);
  });

  it("is final when nothing better is at hand", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(401).end());
    const error = await failureOf(call(server, {}, { authorizer: tokens(1).authorizer }));
    expect(error).toMatchObject({
      code: "REGISTRY_DENIED",
      message: `testing: ${server.host} answers 401 unauthorized`,
      hint: `the credentials sent were those in token-1, and may be wrong or expired: tsbuild login ${server.host}`,
    });
    expect(server.asked).toEqual(["GET /v2/app/manifests/latest", "GET /v2/app/manifests/latest with token-1"]);
  });

  it.each<[what: string, authorization: string, before?: string]>([
    ["a token", "Bearer secret-token"],
    ["a password", `Basic ${Buffer.from("user:secret-password").toString("base64")}`],
    ["a long token", `Bearer ${"secret-".repeat(300)}`],
    ["a token where the text is cut", "Bearer secret-token", "x".repeat(380)],
    ["a token behind much that is passed over", "Bearer secret-token", " ".repeat(1586)],
  ])("attack: %s that the answer repeats is in no error", async (_what, authorization, before = "") => {
    await using server = await scripted((request, response) => {
      const given = request.headers.authorization ?? "";
      const decoded = Buffer.from(given.slice(given.indexOf(" ") + 1), "base64").toString("latin1");
      response
        .writeHead(403)
        .end(JSON.stringify({ errors: [{ code: `${"D".repeat(90)}${given}`, message: `no: ${before}${given} (${decoded})` }] }));
    });
    const authorizer: Authorizer = {
      authorization: async () => authorization,
      challenge: async () => false,
      sent: async () => ({ kind: "some", place: undefined }),
    };
    const error = (await failureOf(call(server, {}, { authorizer }))) as Error & { hint?: string };
    const all = `${error.message} ${JSON.stringify(error)} ${String(error.cause)} ${error.hint}`;
    expect(error.message).toContain("no: ");
    expect(all).not.toContain("secret");
    expect(all).not.toContain(authorization.slice(authorization.indexOf(" ") + 1));
  });

  it("attack: challenges without end are answered three times", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(401).end());
    expect(await failureOf(call(server, {}, { authorizer: tokens(99).authorizer }))).toMatchObject({ code: "REGISTRY_DENIED" });
    expect(server.asked.length).toBe(4);
  });

  it("is not asked about when 401 is an answer", async () => {
    await using server = await scripted((_request, response) => void response.writeHead(401).end());
    const { authorizer, refused } = tokens(9);
    expect(await call(server, { target: "", expect: [200, 401] }, { authorizer })).toMatchObject({ status: 401 });
    expect(refused).toEqual([]);
  });

  it("attack: an upload's Location at another host gets none, and its challenge no answer", async () => {
    await using registry = await scripted(() => undefined);
    await using other = await scripted((_request, response) => void response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end());
    const { authorizer, refused } = tokens(9, 1);
    const target = new URL(`http://${other.host}/upload`);
    expect(await failureOf(call(registry, { target, method: "PUT" }, { authorizer }))).toMatchObject({ code: "REGISTRY_DENIED" });
    expect([other.asked, refused]).toEqual([["PUT /upload"], []]);
  });
});

describe("a redirect", () => {
  const redirecting = (status: number, location: () => string) =>
    scripted((request, response) => {
      if (request.url?.startsWith("/v2/")) response.writeHead(status, { Location: location() }).end("moved");
      else response.end(`found ${request.url}`);
    });

  it.each([301, 302, 303, 307, 308])("of a GET with %i is followed, at the same host with Authorization", async (status) => {
    await using server = await redirecting(status, () => "../../../blob?sig=a%2Fb");
    const result = await call(server, { target: "blobs/sha256:ab" }, { authorizer: tokens(1, 1).authorizer });
    expect(result).toEqual({ status: 200, url: `http://${server.host}/blob?sig=a%2Fb`, text: "found /blob?sig=a%2Fb" });
    expect(server.asked).toEqual(["GET /v2/app/blobs/sha256:ab with token-1", "GET /blob?sig=a%2Fb with token-1"]);
  });

  it("attack: to another host takes no Authorization along, nor gets it back at home", async () => {
    await using registry = await scripted((request, response) => {
      if (request.url === "/v2/app/manifests/latest") response.writeHead(307, { Location: `http://${other.host}/there` }).end();
      else response.end("home");
    });
    await using other = await scripted((_request, response) => {
      response.writeHead(307, { Location: `http://${registry.host}/back` }).end();
    });
    await call(registry, {}, { authorizer: tokens(1, 1).authorizer });
    expect(other.asked).toEqual(["GET /there"]);
    expect(registry.asked).toEqual(["GET /v2/app/manifests/latest with token-1", "GET /back"]);
  });

  it("attack: to another port is to another host", async () => {
    await using other = await scripted((_request, response) => void response.end());
    await using registry = await redirecting(302, () => `http://127.0.0.1:${other.port}/x`);
    await call(registry, {}, { authorizer: tokens(1, 1).authorizer });
    expect(other.asked).toEqual(["GET /x"]);
  });

  it("attack: a challenge from where it leads is not answered", async () => {
    await using other = await scripted((_request, response) => void response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end());
    await using registry = await redirecting(302, () => `http://${other.host}/x`);
    const { authorizer, refused } = tokens(9, 1);
    expect(await failureOf(call(registry, {}, { authorizer }))).toMatchObject({ code: "REGISTRY_DENIED" });
    expect([other.asked, refused]).toEqual([["GET /x"], []]);
  });

  it("attack: a user part in its Location is not sent", async () => {
    await using other = await scripted((_request, response) => void response.end());
    await using registry = await redirecting(302, () => `http://user:word@${other.host}/x`);
    expect((await call(registry)).url).toBe(`http://${other.host}/x`);
    expect(other.asked).toEqual(["GET /x"]);
  });

  it.each([
    ["without Location", {}, "a redirect without Location"],
    ["to no URL", { Location: "http://[" }, "a redirect whose Location is no URL"],
    ["to a file", { Location: "file:///etc/passwd" }, 'a redirect to "file:"'],
  ])("%s is an error", async (_name, headers, message) => {
    await using server = await scripted((_request, response) => void response.writeHead(302, headers).end());
    expect(await failureOf(call(server))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      retryable: false,
      message: `testing: ${server.host} answers 302, ${message}`,
    });
  });

  it("attack: without end is followed ten times", async () => {
    await using server = await scripted((request, response) => void response.writeHead(302, { Location: `${request.url}x` }).end());
    expect(await failureOf(call(server))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `testing: more than 10 redirects, the last to ${server.host}`,
    });
    expect(server.asked.length).toBe(11);
  });

  it("of a write with 307 takes the whole body along", async () => {
    const bodies: string[] = [];
    await using server = await scripted((request, response, text) => {
      bodies.push(text);
      if (request.url === "/there") response.writeHead(201).end();
      else response.writeHead(307, { Location: "/there" }).end();
    });
    expect(await call(server, { method: "PUT", body: body("abc"), expect: [201] })).toMatchObject({ status: 201 });
    expect(bodies).toEqual(["abc", "abc"]);
  });

  it("of a write with 301 is an error, with what to do", async () => {
    await using server = await redirecting(301, () => "https://new.example/v2/x?secret=1");
    expect(await failureOf(call(server, { method: "POST", expect: [202] }))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `testing: ${server.host} answers 301, a redirect of a POST to new.example, which clients repeat as a GET`,
      hint: "name the registry new.example itself",
    });
  });

  it("is the answer when it is expected", async () => {
    await using server = await redirecting(307, () => "/there");
    expect(await call(server, { expect: [307] })).toMatchObject({ status: 307, text: "moved" });
  });
});

describe("over TLS", needs("openssl"), () => {
  let pair: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  function certificate() {
    if (pair === undefined) {
      const authority = privateAuthority(temporaryDirectory("call-tls"));
      pair = { ca: authority.ca, ...authority.issue("server") };
    }
    return pair;
  }

  /** Answers at /v2/… with a redirect, elsewhere with the path; insecure endpoints need not know the authority. */
  const registryAt = async (location: (host: string) => string) => {
    const { cert, key } = certificate();
    const server = await serveTls({ cert, key }, (request, response) => {
      if (request.url?.startsWith("/v2/")) response.writeHead(307, { Location: location(request.headers.host ?? "") }).end();
      else response.end(`${request.url} ${request.headers.authorization}`);
    });
    return server;
  };

  const trusted = async (server: LocalServer, changes: Partial<Call> = {}) => {
    const endpoint = endpointAt(server, { origin: `https://${server.host}` });
    await using http = openHttp({ settings: settingsWith({ hosts: { [server.host]: { ca: certificate().ca } } }), systemBundles: [] });
    const caller = openCaller({ http, authorizer: tokens(1, 1).authorizer, retry: retryPolicy({ attempts: 1, deadlineMs: 1 }) });
    const answer = await caller.call(endpoint, { doing: "testing", method: "GET", target: "x", scopes: [], expect: [200], ...changes });
    return `${answer.url.protocol} ${await textOf(answer.body)}`;
  };

  it("attack: a redirect to plain http elsewhere is refused", async () => {
    const asked: unknown[] = [];
    await using other = await serve((request, response) => {
      asked.push(request.url);
      response.end();
    });
    await using server = await registryAt(() => `http://${other.host}/x?sig=secret`);
    expect(await failureOf(trusted(server))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `testing: ${server.host} answers 307, a redirect to plain http at ${other.host}`,
    });
    expect(asked).toEqual([]);
  });

  it("a redirect to plain http is followed from an insecure endpoint", async () => {
    await using other = await serve((request, response) => void response.end(`${request.url} ${request.headers.authorization}`));
    await using server = await registryAt(() => `http://${other.host}/x`);
    const endpoint = endpointAt(server, { origin: `https://${server.host}`, insecure: true });
    expect((await call(server, {}, { endpoint, authorizer: tokens(1, 1).authorizer })).text).toBe("/x undefined");
  });

  it("plain http at the registry's own host, as a proxy before it makes it say, stays https", async () => {
    await using server = await registryAt((host) => `http://${host}/y`);
    expect(await trusted(server)).toBe("https: /y token-1");
    expect(await trusted(server, { target: new URL(`http://${server.host}/z`) })).toBe("https: /z token-1");
  });
});

describe("at an endpoint that may speak plain http", () => {
  it("Authorization goes to plain http, in redirects and Locations at its own host, too", async () => {
    await using server = await scripted((request, response) => {
      if (request.url?.startsWith("/v2/")) response.writeHead(307, { Location: `http://${request.headers.host}/y` }).end();
      else response.end();
    });
    const endpoint = endpointAt(server, { origin: `https://${server.host}`, plainHttp: true });
    const { authorizer } = tokens(1, 1);
    expect((await call(server, {}, { endpoint, authorizer })).url).toBe(`http://${server.host}/y`);
    await call(server, { target: new URL(`http://${server.host}/z`) }, { endpoint, authorizer });
    expect(server.asked).toEqual(["GET /v2/app/manifests/latest with token-1", "GET /y with token-1", "GET /z with token-1"]);
  });
});
