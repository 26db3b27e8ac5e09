import { type Abortable, collect } from "../file-bytes.ts";
import type { BearerChallenge } from "./challenge.ts";
import type { Credential } from "./credential.ts";
import { doing, restated } from "./doing.ts";
import type { Endpoint, HostRules } from "./endpoint.ts";
import type { Http, HttpRequest, HttpResponse } from "./http.ts";
import { mayRedirect, realmEndpoint, realmOf } from "./realm.ts";
import { credentialHint, refusalHint, type SentCredential } from "./refusal-hint.ts";
import { RegistryError } from "./registry-error.ts";
import { responseError } from "./response-error.ts";
import type { Retrying } from "./retry.ts";
import { type GrantedToken, parseTokenAnswer } from "./token-answer.ts";

export interface TokenTransport {
  readonly http: Http;
  readonly retry: Retrying;
  /** Which token servers may be spoken to without checks. */
  readonly settings: HostRules;
}

export interface TokenRequest {
  /** The server whose challenge this answers. */
  readonly endpoint: Endpoint;
  readonly challenge: BearerChallenge;
  /** "repository:app:pull". */
  readonly scopes: readonly string[];
  /** Undefined: anonymous. */
  readonly credential: TokenCredential | undefined;
  /** An identity token is asked for too; it comes when the server has such. */
  readonly offline: boolean;
  /** Of `credential`: for errors. */
  readonly sent: () => Promise<SentCredential>;
}

/** What a token server can be shown. */
export type TokenCredential = Exclude<Credential, { kind: "bearer" }>;

/** A token must fit into a request's header, which servers limit to far less. */
const largestAnswer = 64 * 1024;
const maxRedirects = 5;
const clientId = "tsbuild";
/** The answers of servers that only know the other method. */
const noSuchMethod: readonly number[] = [404, 405, 501];

/**
 * A new token from the server that the challenge names (distribution "Token Authentication Specification" and "OAuth2 Token Authentication"). Passing failures
 * are repeated. Throws RegistryError: REGISTRY_DENIED when the credential, or asking without one, is refused; and `signal.reason`.
 */
export async function requestToken(transport: TokenTransport, request: TokenRequest, { signal }: Abortable = {}): Promise<GrantedToken> {
  const { endpoint } = request;
  const realm = realmOf(request.challenge, endpoint, transport.settings);
  const attempt = async (): Promise<GrantedToken> => {
    try {
      return await tryOnce(transport, realm, request, signal);
    } catch (error) {
      throw doing(`authenticating at ${endpoint.registry}`, error instanceof RegistryError ? await explained(error, request) : error);
    }
  };
  return transport.retry(attempt, { signal });
}

async function tryOnce(
  transport: TokenTransport,
  realm: URL,
  request: TokenRequest,
  signal: AbortSignal | undefined,
): Promise<GrantedToken> {
  const { credential } = request;
  if (credential?.kind !== "identity") {
    const response = await get(transport, realm, request, signal);
    // The password of an OAuth2 server's user is sent by POST alone.
    if (credential === undefined || !noSuchMethod.includes(response.status)) return granted(response, request, signal);
    await response.discard();
  }
  const server = realmEndpoint(realm, request.endpoint, transport.settings);
  return granted(await transport.http.request(server, post(realm, request, credential, signal)), request, signal);
}

async function get(
  { http, settings }: TokenTransport,
  realm: URL,
  request: TokenRequest,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const { endpoint, challenge, scopes, credential, offline } = request;
  let url = new URL(realm);
  if (challenge.service !== undefined) url.searchParams.set("service", challenge.service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  url.searchParams.set("client_id", clientId);
  if (offline) url.searchParams.set("offline_token", "true");
  let authorization = credential === undefined ? undefined : basicAuthorization(credential);
  for (let redirects = 0; ; redirects += 1) {
    const headers = { accept: "application/json", ...(authorization === undefined ? {} : { authorization }) };
    const response = await http.request(realmEndpoint(url, endpoint, settings), { method: "GET", url, headers, signal });
    const location = response.header("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
    await response.discard();
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
    if (next === undefined || redirects === maxRedirects || !mayRedirect(url, next, endpoint, settings)) {
      const why = redirects === maxRedirects ? `more than ${maxRedirects} redirects` : "a redirect that is not followed";
      throw new RegistryError("REGISTRY_PROTOCOL", `${url.host} answers with ${why}`);
    }
    // Another server may say where to go on, but not who we are; and what has been dropped stays so.
    if (next.origin !== url.origin) authorization = undefined;
    url = next;
  }
}

function post(
  url: URL,
  { challenge, scopes, offline }: TokenRequest,
  credential: TokenCredential | undefined,
  signal: AbortSignal | undefined,
): HttpRequest {
  const form = new URLSearchParams({ client_id: clientId });
  if (credential?.kind === "identity") {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", credential.token);
  } else if (credential !== undefined) {
    form.set("grant_type", "password");
    form.set("username", credential.username);
    form.set("password", credential.password);
  }
  if (challenge.service !== undefined) form.set("service", challenge.service);
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  if (offline) form.set("access_type", "offline");
  const bytes = Buffer.from(form.toString());
  return {
    method: "POST",
    url,
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: {
      sizeBytes: bytes.length,
      open: async function* () {
        yield bytes;
      },
    },
    signal,
  };
}

async function granted(
  response: HttpResponse,
  { endpoint, credential }: TokenRequest,
  signal: AbortSignal | undefined,
): Promise<GrantedToken> {
  if (response.status < 200 || response.status > 299) {
    throw await responseError(response, { registry: endpoint.registry, secrets: secretsOf(credential) }, signal);
  }
  const wrong = (why: string) => new RegistryError("REGISTRY_PROTOCOL", `${response.url.host}: ${why}`);
  const body = await collect(response.body, largestAnswer, () => wrong(`the answer is longer than ${largestAnswer} bytes`));
  try {
    return parseTokenAnswer(body);
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

/** A refusal by a token server is about the credential, whatever was asked for with it. */
async function explained(error: RegistryError, { endpoint: { registry }, credential, sent }: TokenRequest): Promise<RegistryError> {
  const { status, diagnostics } = error;
  // RFC 6749 §5.2: 400 with invalid_grant is how OAuth2 servers refuse a password or a refresh token.
  const refused = status === 401 || status === 403 || (credential !== undefined && status === 400);
  if (!refused) return error;
  if (credential === undefined) return restated(error, error.message, { hint: refusalHint(status, registry, await sent()) });
  const hint = credentialHint(registry, await sent());
  return new RegistryError("REGISTRY_DENIED", `the ${nameOf(credential)} is refused: ${error.message}`, { status, diagnostics, hint });
}

function nameOf({ kind }: TokenCredential): string {
  return kind === "identity" ? "identity token" : "username or password";
}

function secretsOf(credential: TokenCredential | undefined): readonly string[] {
  if (credential === undefined) return [];
  const secret = credential.kind === "identity" ? credential.token : credential.password;
  const inForm = new URLSearchParams({ "": secret }).toString().slice("=".length);
  return [secret, encodeURIComponent(secret), inForm, basicAuthorization(credential).slice("Basic ".length)];
}

/** The user name of an identity token where only name and password can be sent, as Azure's registry has it. */
const tokenUser = "00000000-0000-0000-0000-000000000000";

/** The value of Authorization for RFC 7617, in UTF-8. */
export function basicAuthorization(credential: TokenCredential): string {
  const { username, password } = credential.kind === "identity" ? { username: tokenUser, password: credential.token } : credential;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
