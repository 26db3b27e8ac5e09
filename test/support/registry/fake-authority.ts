import { randomUUID } from "node:crypto";
import type { FakeBehaviour } from "./fake-behaviour.ts";
import { type Answered, type Exchange, readBody, send, sendError } from "./fake-exchange.ts";
import { actionOf } from "./fake-routes.ts";

interface Token {
  readonly scopes: readonly string[];
  readonly expiresAt: number;
  usesLeft: number;
}

/** Who may do what, and the token server that says so (distribution "Token Authentication Specification"). */
export interface FakeAuthority {
  /** Undefined when the request may go on; else it has been answered. */
  refusal(exchange: Exchange): Answered | undefined;
  /** GET and POST /token. */
  answerToken(exchange: Exchange): Promise<Answered>;
  /** From now on no token that was given is good. */
  expireTokens(): void;
}

/** `realm` is where tokens are given out, known when the servers run. */
export function fakeAuthority(realm: () => string): FakeAuthority {
  const tokens = new Map<string, Token>();

  const challenge = (exchange: Exchange, error?: string): Answered => {
    const { auth } = exchange.behaviour;
    const scope = scopesOf(exchange).at(-1);
    const bearer = [
      `Bearer realm="${realm()}"`,
      'service="fake registry"',
      ...(scope === undefined ? [] : [`scope="${scope}"`]),
      ...(error === undefined ? [] : [`error="${error}"`]),
    ].join(",");
    const basic = 'Basic realm="fake registry"';
    const offered = auth === "basic" ? [basic] : auth === "bearer" ? [bearer] : [basic, bearer];
    const challenges = writtenAs(exchange.behaviour.challengeForm, offered);
    return sendError(exchange, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": challenges });
  };

  const tokenRefusal = (exchange: Exchange, value: string): Answered | undefined => {
    const token = tokens.get(value);
    if (token === undefined || token.expiresAt <= Date.now() || token.usesLeft <= 0) {
      return challenge(exchange, "invalid_token");
    }
    token.usesLeft -= 1;
    const missing = scopesOf(exchange).filter((scope) => !token.scopes.includes(scope));
    // A mount whose source may not be read is a plain upload: then the first scope alone decides.
    if (missing.length === 0 || (exchange.seen.query.mount !== undefined && !missing.includes(scopesOf(exchange)[0] ?? ""))) {
      return undefined;
    }
    const { deniedStatus } = exchange.behaviour;
    if (deniedStatus === 401) return challenge(exchange, "insufficient_scope");
    if (deniedStatus === 403) return sendError(exchange, 403, "DENIED", "requested access to the resource is denied");
    return sendError(exchange, 404, "NAME_UNKNOWN", "repository name not known to registry");
  };

  return {
    refusal(exchange) {
      const { auth } = exchange.behaviour;
      if (auth === "none") return undefined;
      const [scheme = "", value = ""] = (exchange.request.headers.authorization ?? "").split(" ");
      if (scheme === "Bearer" && auth !== "basic") return tokenRefusal(exchange, value);
      if (scheme === "Basic" && auth !== "bearer" && basicUser(exchange, value) !== undefined) return undefined;
      return challenge(exchange);
    },
    async answerToken(exchange) {
      const { behaviour, seen } = exchange;
      const body = await readBody(exchange);
      if (body === undefined) return "gone";
      if (!behaviour.tokenMethods.some((method) => method === seen.method)) {
        return sendError(exchange, seen.method === "POST" ? 404 : 405, "UNSUPPORTED", "the operation is unsupported");
      }
      const asked = seen.method === "POST" ? new URLSearchParams(body.toString()) : exchange.url.searchParams;
      const user = tokenUser(exchange, asked);
      if (user === "wrong") return sendError(exchange, 401, "UNAUTHORIZED", "incorrect username or password");
      const value = randomUUID();
      const lifetime = behaviour.tokenLifetimeSeconds;
      const scopes = asked.getAll("scope").flatMap((list) => list.split(" ").flatMap(singleScopes));
      const granted = user === "anonymous" ? scopes.filter((scope) => behaviour.anonymousPull && scope.endsWith(":pull")) : scopes;
      tokens.set(value, { scopes: granted, expiresAt: Date.now() + (lifetime ?? 60) * 1000, usesLeft: behaviour.tokenUses });
      const answer = {
        ...(behaviour.tokenField === "access_token" ? {} : { token: value }),
        ...(behaviour.tokenField === "token" ? {} : { access_token: value }),
        ...(lifetime === undefined ? {} : { expires_in: lifetime, issued_at: new Date().toISOString() }),
        ...(behaviour.refreshToken !== undefined && seen.method === "POST" ? { refresh_token: behaviour.refreshToken } : {}),
      };
      return send(exchange, 200, { "content-type": "application/json" }, JSON.stringify(answer));
    },
    expireTokens() {
      tokens.clear();
    },
  };
}

function writtenAs(form: FakeBehaviour["challengeForm"], challenges: string[]): string[] {
  if (form === "negotiate first") return ["Negotiate", ...challenges];
  return form === "plain" ? challenges : challenges.map((challenge) => challenge.replace(/^\w+/, (scheme) => scheme.toUpperCase()));
}

/** The scopes that a request needs, one action each, the repository's own first. */
function scopesOf(exchange: Exchange): string[] {
  const { route, method, query } = exchange.seen;
  if (!("repository" in route)) return [];
  const action = route.kind === "upload" || route.kind === "uploads" ? "push" : actionOf(method);
  const own = `repository:${route.repository}:${action}`;
  return query.from === undefined ? [own] : [own, `repository:${query.from}:pull`];
}

/** "repository:a:pull,push" as one scope for each action. */
function singleScopes(scope: string): string[] {
  const [type, ...rest] = scope.split(":");
  const actions = rest.pop() ?? "";
  return actions.split(",").map((action) => `${type}:${rest.join(":")}:${action}`);
}

function basicUser(exchange: Exchange, value: string): string | undefined {
  const [name = "", ...password] = Buffer.from(value, "base64").toString().split(":");
  return exchange.behaviour.users[name] === password.join(":") ? name : undefined;
}

function tokenUser(exchange: Exchange, asked: URLSearchParams): "known" | "anonymous" | "wrong" {
  const { behaviour, request } = exchange;
  const [scheme, value = ""] = (request.headers.authorization ?? "").split(" ");
  if (scheme === "Basic") return basicUser(exchange, value) === undefined ? "wrong" : "known";
  switch (asked.get("grant_type")) {
    case "password":
      return behaviour.users[asked.get("username") ?? ""] === asked.get("password") ? "known" : "wrong";
    case "refresh_token":
      return behaviour.refreshToken !== undefined && asked.get("refresh_token") === behaviour.refreshToken ? "known" : "wrong";
    default:
      return "anonymous";
  }
}
