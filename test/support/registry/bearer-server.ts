import { execFileSync } from "node:child_process";
import { createSign, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { closeServer, listenLocally } from "./local-server.ts";

/** What docker-registry's `auth.token` wants to know about a token server. */
export interface TokenTrust {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM file of the certificate whose key signs the tokens. */
  readonly rootCertificate: string;
}

/** A token that was asked for. */
export interface TokenRequest {
  /** Undefined: nobody said who they are. */
  readonly user: string | undefined;
  readonly granted: boolean;
  /** "repository:app:pull,push", as asked. */
  readonly scopes: readonly string[];
}

/** A token server in this process (distribution "Token Authentication Specification"), whose tokens docker-registry believes. */
export interface BearerServer extends AsyncDisposable {
  readonly trust: TokenTrust;
  readonly requests: readonly TokenRequest[];
  close(): Promise<void>;
}

export interface BearerServerOptions {
  /** For the key and its certificate. */
  readonly directory: string;
  /** Name → password. Who is known may do everything. */
  readonly users: Readonly<Record<string, string>>;
  /** Repositories below this may be read by everybody: "public/". */
  readonly publicPrefix?: string;
  readonly lifetimeSeconds?: number;
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** Listens on 127.0.0.1. Needs openssl. */
export async function startBearerServer(options: BearerServerOptions): Promise<BearerServer> {
  const { directory, users, publicPrefix, lifetimeSeconds = 300 } = options;
  const keyFile = join(directory, "token.key");
  const rootCertificate = join(directory, "token.crt");
  const newKey = ["-newkey", "rsa:2048", "-nodes", "-keyout", keyFile];
  execFileSync("openssl", ["req", "-x509", ...newKey, "-out", rootCertificate, "-days", "2", "-subj", "/CN=tokens"], { stdio: "pipe" });
  const key = readFileSync(keyFile, "utf8");
  const chain = [new X509Certificate(readFileSync(rootCertificate)).raw.toString("base64")];
  const service = "test registry";
  const issuer = "test token server";
  const requests: TokenRequest[] = [];

  const sign = (subject: string, access: readonly Access[]): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: subject,
      aud: service,
      iat: now,
      nbf: now - 10,
      exp: now + lifetimeSeconds,
      jti: randomUUID(),
      access,
    };
    const signed = [{ typ: "JWT", alg: "RS256", x5c: chain }, claims].map((part) => base64url(JSON.stringify(part))).join(".");
    return `${signed}.${base64url(createSign("RSA-SHA256").update(signed).sign(key))}`;
  };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const asked = new URL(request.url ?? "/", "http://token.test").searchParams;
    const scopes = asked.getAll("scope").flatMap((list) => list.split(" "));
    const [user, password] = basicPair(request.headers.authorization);
    const granted = user === undefined || users[user] === password;
    requests.push({ user, granted, scopes });
    if (request.method !== "GET" || !granted) {
      response.writeHead(granted ? 405 : 401, { "content-type": "application/json" }).end('{"details":"incorrect username or password"}');
      return;
    }
    const access = scopes.map(accessOf).map((wanted) => (user === undefined ? publicOnly(wanted, publicPrefix) : wanted));
    const token = sign(user ?? "", access);
    const body = JSON.stringify({ token, expires_in: lifetimeSeconds, issued_at: new Date().toISOString() });
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  };

  const server = createServer(answer);
  const port = await listenLocally(server);
  const close = () => closeServer(server);
  const trust = { realm: `http://127.0.0.1:${port}/token`, service, issuer, rootCertificate };
  return { trust, requests, close, [Symbol.asyncDispose]: close };
}

function accessOf(scope: string): Access {
  const [type = "", ...rest] = scope.split(":");
  const actions = (rest.pop() ?? "").split(",");
  return { type, name: rest.join(":"), actions };
}

function publicOnly(wanted: Access, prefix: string | undefined): Access {
  const isPublic = prefix !== undefined && wanted.type === "repository" && wanted.name.startsWith(prefix);
  return { ...wanted, actions: isPublic ? wanted.actions.filter((action) => action === "pull") : [] };
}

function basicPair(authorization: string | undefined): readonly [user?: string, password?: string] {
  const [, encoded] = /^Basic (.+)$/.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return [];
  const [user = "", ...password] = Buffer.from(encoded, "base64").toString().split(":");
  return [user, password.join(":")];
}

function base64url(content: string | Buffer): string {
  return Buffer.from(content).toString("base64url");
}
