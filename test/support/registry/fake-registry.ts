import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { fakeAuthority } from "./fake-authority.ts";
import { type FakeBehaviour, plainBehaviour } from "./fake-behaviour.ts";
import { answerBlob, answerStorage } from "./fake-blobs.ts";
import { emptyContent, type FakeContent, sha256 } from "./fake-content.ts";
import { type Answered, type Exchange, type SeenRequest, send, sendError } from "./fake-exchange.ts";
import { type FakeImage, fakeIndex } from "./fake-image.ts";
import { answerReferrers, answerTags } from "./fake-listings.ts";
import { answerManifest } from "./fake-manifests.ts";
import { routeOf } from "./fake-routes.ts";
import { continueUpload, startUpload } from "./fake-uploads.ts";
import { closeServer, listenLocally } from "./local-server.ts";

export interface FakeRegistryOptions extends Partial<FakeBehaviour> {
  /** PEM key and certificate: the registry speaks TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The token server has a port of its own (default: /token of the registry). */
  readonly ownTokenServer?: boolean;
  /** Sees each request before it is answered, and answers it itself when it returns true. */
  readonly intercept?: (seen: SeenRequest, request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}

/** An OCI registry (distribution spec v1.1) in this process: what it holds is in memory, what it was asked is on record. */
export interface FakeRegistry extends AsyncDisposable {
  /** "127.0.0.1:1234": what references begin with. */
  readonly host: string;
  /** "http://127.0.0.1:1234". */
  readonly url: string;
  readonly content: FakeContent;
  readonly behaviour: FakeBehaviour;
  /** Oldest first; those to the token server and to the storage too. */
  readonly requests: SeenRequest[];
  /** Bytes of bodies that the servers received, and of everything that they sent. */
  bytes(): { readonly received: number; readonly sent: number };
  /** "GET /v2/app/manifests/latest 200" of every request since the last call or the start. */
  takeLog(): string[];
  putImage(repository: string, tag: string, image: FakeImage): void;
  /** An index of these images, and the images. Answers the index's digest. */
  putIndex(repository: string, tag: string, images: readonly FakeImage[], format?: "oci" | "docker"): string;
  putBlob(repository: string, bytes: Uint8Array): string;
  /** From now on no token that was given is good. */
  expireTokens(): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 until it is closed. */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const { tls, ownTokenServer = false, intercept, ...switches } = options;
  const behaviour: FakeBehaviour = { ...plainBehaviour, ...switches };
  const content = emptyContent();
  const requests: SeenRequest[] = [];
  const origins = { registry: "", token: "", storage: "" };
  const authority = fakeAuthority(() => `${origins.token}/token`);
  let sent = 0;
  let logged = 0;

  const listener =
    (server: SeenRequest["server"], answer: (exchange: Exchange) => Answered | Promise<Answered>): RequestListener =>
    (request, response) => {
      const url = new URL(request.url ?? "/", origins[server]);
      const { method = "GET", headers } = request;
      const path = decodeURIComponent(url.pathname);
      const query = Object.fromEntries(url.searchParams);
      const seen: SeenRequest = { server, method, path, query, headers, route: routeOf(path), bodyBytes: 0, status: undefined };
      requests.push(seen);
      const socket = request.socket;
      const before = socket.bytesWritten;
      response.on("close", () => {
        sent += socket.bytesWritten - before;
      });
      // Whoever goes away in the middle of an answer is part of the tests.
      response.on("error", () => undefined);
      const sentManifests = () =>
        requests.filter((one) => one.method === "GET" && one.route.kind === "manifest" && one.status === 200).length;
      const exchange = {
        seen,
        sentManifests,
        url,
        request,
        response,
        behaviour,
        content,
        origin: origins.registry,
        storageOrigin: origins.storage,
      };
      void (async () => {
        if ((await intercept?.(seen, request, response)) !== true) await answer(exchange);
        else seen.status ??= response.statusCode;
        // A body that nobody wanted must not hold up the connection.
        request.resume();
      })().catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))));
    };

  const answerRegistry = async (exchange: Exchange): Promise<Answered> => {
    const { route } = exchange.seen;
    if (route.kind === "token" && !ownTokenServer) return authority.answerToken(exchange);
    return authority.refusal(exchange) ?? answerRoute(exchange);
  };
  const registryServer = tls === undefined ? createServer() : createTlsServer(tls);
  const servers: { readonly name: SeenRequest["server"]; readonly server: Server }[] = [
    { name: "registry", server: registryServer.on("request", listener("registry", answerRegistry)) },
    { name: "storage", server: createServer(listener("storage", answerStorage)) },
    ...(ownTokenServer
      ? [{ name: "token" as const, server: createServer(listener("token", (exchange) => authority.answerToken(exchange))) }]
      : []),
  ];
  for (const { name, server } of servers) {
    const scheme = name === "registry" && tls !== undefined ? "https" : "http";
    origins[name] = `${scheme}://127.0.0.1:${await listenLocally(server)}`;
  }
  if (!ownTokenServer) origins.token = origins.registry;

  const putManifest = (repository: string, reference: string | undefined, mediaType: string, bytes: Buffer) => {
    const digest = sha256(bytes);
    content.repository(repository).manifests.set(digest, { mediaType, bytes });
    if (reference !== undefined) content.repository(repository).tags.set(reference, digest);
  };
  const putBlob = (repository: string, bytes: Uint8Array) => {
    const digest = sha256(bytes);
    content.repository(repository).blobs.set(digest, Buffer.from(bytes));
    return digest;
  };
  const putImage = (repository: string, tag: string | undefined, image: FakeImage) => {
    for (const blob of [image.config, ...image.layers]) putBlob(repository, blob);
    putManifest(repository, tag, image.mediaType, image.bytes);
  };
  const close = async () => {
    await Promise.all(servers.map(({ server }) => closeServer(server)));
  };

  return {
    host: new URL(origins.registry).host,
    url: origins.registry,
    content,
    behaviour,
    requests,
    bytes: () => ({ received: requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0), sent }),
    takeLog() {
      const lines = requests.slice(logged).map(({ method, path, status }) => `${method} ${path} ${status ?? "unanswered"}`);
      logged = requests.length;
      return lines;
    },
    putImage,
    putIndex(repository, tag, images, format) {
      for (const image of images) putImage(repository, undefined, image);
      const { mediaType, bytes, digest } = fakeIndex(images, format);
      putManifest(repository, tag, mediaType, bytes);
      return digest;
    },
    putBlob,
    expireTokens: () => authority.expireTokens(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function answerRoute(exchange: Exchange): Promise<Answered> {
  const { route } = exchange.seen;
  switch (route.kind) {
    case "ping":
      if (exchange.behaviour.ping === "html") return send(exchange, 200, { "content-type": "text/html" }, "<!doctype html>");
      return send(exchange, 200, { "content-type": "application/json", "docker-distribution-api-version": "registry/2.0" }, "{}");
    case "manifest":
      return answerManifest(exchange, route.repository, route.reference);
    case "blob":
      return answerBlob(exchange, route.repository, route.digest);
    case "uploads":
      return startUpload(exchange, route.repository);
    case "upload":
      return continueUpload(exchange, route.repository, route.id);
    case "tags":
      return answerTags(exchange, route.repository);
    case "referrers":
      return answerReferrers(exchange, route.repository, route.digest);
    default:
      return sendError(exchange, 404, "UNSUPPORTED", "404 page not found");
  }
}
