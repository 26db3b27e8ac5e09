import type { Abortable } from "../file-bytes.ts";
import { type BearerChallenge, type Challenge, parseChallenges } from "./challenge.ts";
import type { Credential, CredentialSource } from "./credential.ts";
import type { Endpoint } from "./endpoint.ts";
import type { SentCredential } from "./refusal-hint.ts";
import { RegistryError } from "./registry-error.ts";
import { challengedScopes, mergeScopes, type Scope, scopeTexts } from "./scope.ts";
import { onceEach, singleFlight } from "./single-flight.ts";
import { basicAuthorization, requestToken, type TokenCredential, type TokenTransport } from "./token.ts";
import { type Token, type Tokens, tokenCache } from "./token-cache.ts";

export type { Scope };

/** Proves to registries who asks. Tokens are kept for each endpoint and set of scopes until they expire. Nothing of it is ever written to a log or an error. */
export interface Authorizer {
  /** Value of the Authorization header as far as it is known without asking the registry; renews a token that is about to expire. */
  authorization(endpoint: Endpoint, scopes: readonly Scope[], options?: Abortable): Promise<string | undefined>;
  /**
   * Learns from a 401: `refused` is the Authorization value that was sent, if any. True when a new try has something better to offer; false when the refusal is final.
   * Throws RegistryError when a token server fails.
   */
  challenge(
    endpoint: Endpoint,
    scopes: readonly Scope[],
    answer: { readonly wwwAuthenticate: readonly string[]; readonly refused: string | undefined },
    options?: Abortable,
  ): Promise<boolean>;
  /** What a request with this Authorization value, if any, showed: for errors. */
  sent(endpoint: Endpoint, authorization: string | undefined, options?: Abortable): Promise<SentCredential>;
}

export interface AuthorizerOptions extends TokenTransport {
  readonly credentials: CredentialSource;
  /** Milliseconds; Date.now where absent. */
  readonly now?: () => number;
  /** Present: token servers are asked for an identity token too, and this hears of each that they give. */
  readonly onIdentityToken?: (token: string) => void;
}

/** A token that is wanted, and for whom. */
interface Asked {
  readonly challenge: BearerChallenge;
  readonly credential: TokenCredential | undefined;
  readonly scopes: readonly string[];
  /** A token for this was refused. */
  readonly replaces: boolean;
}

/** What is known of one repository at one server. */
interface Session {
  readonly endpoint: Endpoint;
  readonly tokens: Tokens;
  credential(options: Abortable): Promise<Credential | undefined>;
}

/**
 * An Authorizer whose tokens live as long as it does. A server hears of a credential only after it has asked for one; then the same way is gone at once for all of
 * its repositories. A credential that is refused is an error: nothing falls back to asking anonymously.
 */
export function openAuthorizer(options: AuthorizerOptions): Authorizer {
  const { credentials, now = Date.now, onIdentityToken } = options;
  const challenges = new Map<string, Challenge>();
  const sessions = new Map<string, Session>();
  /** By identity token as the credential has it: the one that a server has put in its place. */
  const rotated = new Map<string, string>();
  const fetchOnce = singleFlight<Token>();
  const findOnce = onceEach<Credential | undefined>();

  const sessionOf = (endpoint: Endpoint): Session => {
    const key = `${serverOf(endpoint)} ${endpoint.repository}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const { registry, repository } = endpoint;
    const find = (signal: AbortSignal) => credentials.find(registry, repository, { signal });
    const session: Session = {
      endpoint,
      tokens: tokenCache(now),
      credential: (abort) => findOnce(`${registry} ${repository}`, find, abort),
    };
    sessions.set(key, session);
    return session;
  };

  const sentAt = async (
    { registry, repository }: Endpoint,
    credential: Credential | undefined,
    abort: Abortable,
  ): Promise<SentCredential> => {
    if (credential === undefined) return { kind: "none" };
    try {
      return { kind: "some", place: await credentials.placeOf?.(registry, repository, abort) };
    } catch {
      abort.signal?.throwIfAborted();
      // The refusal is what counts: of it only the hint knows less.
      return { kind: "some", place: undefined };
    }
  };

  const fetchToken = ({ endpoint, tokens }: Session, asked: Asked, abort: Abortable): Promise<Token> => {
    const { challenge, scopes, replaces } = asked;
    const key = [serverOf(endpoint), endpoint.repository, challenge.realm, challenge.service ?? "", ...scopes].join("\n");
    const work = async (signal: AbortSignal): Promise<Token> => {
      const credential = latest(asked.credential, rotated);
      const offline = onIdentityToken !== undefined && credential !== undefined;
      const askedAt = now();
      const sent = () => sentAt(endpoint, credential, { signal });
      const granted = await requestToken(options, { endpoint, challenge, scopes, credential, offline, sent }, { signal });
      const { refreshToken } = granted;
      if (refreshToken !== undefined) {
        if (asked.credential?.kind === "identity") rotated.set(asked.credential.token, refreshToken);
        if (offline) onIdentityToken(refreshToken);
      }
      return tokens.add({ value: granted.token, scopes, askedAt, lifetimeMs: granted.lifetimeMs, replaces });
    };
    return fetchOnce(key, work, abort);
  };

  return {
    async authorization(endpoint, scopes, abort = {}) {
      const challenge = challenges.get(serverOf(endpoint));
      if (challenge === undefined) return undefined;
      const session = sessionOf(endpoint);
      const credential = await session.credential(abort);
      if (challenge.scheme === "basic") return basicValue(credential, rotated);
      if (credential?.kind === "bearer") return bearer(credential.token);
      const wanted = scopeTexts(scopes);
      try {
        const held = session.tokens.take(wanted);
        if (held !== undefined) return bearer(held.value);
        const fetched = await fetchToken(session, { challenge, credential, scopes: wanted, replaces: false }, abort);
        return bearer((session.tokens.take(wanted) ?? fetched).value);
      } catch (error) {
        // The challenge may have been another repository's: what this one's own says counts, and decides about the error.
        if (isRefusal(error)) return undefined;
        throw error;
      }
    },

    async challenge(endpoint, scopes, { wwwAuthenticate, refused }, abort = {}) {
      const offered = parseChallenges(wwwAuthenticate);
      const challenge = offered.find(({ scheme }) => scheme === "bearer") ?? offered[0];
      if (challenge === undefined) return false;
      challenges.set(serverOf(endpoint), challenge);
      const session = sessionOf(endpoint);
      const credential = await session.credential(abort);
      if (challenge.scheme === "basic") {
        const value = basicValue(credential, rotated);
        return value !== undefined && value !== refused;
      }
      if (credential?.kind === "bearer") return bearer(credential.token) !== refused;
      const token = session.tokens.refuse(refused?.replace(/^Bearer /, ""));
      const own = scopeTexts(scopes);
      // Our own scopes say what is needed; the registry's count where we have none, or ours were not enough.
      const wanted = own.length === 0 || refused !== undefined ? mergeScopes(own, challengedScopes(challenge.scope)) : own;
      if (session.tokens.has(wanted)) return true;
      if (token !== undefined && isFinal(token, wanted, challenge)) return false;
      await fetchToken(session, { challenge, credential, scopes: wanted, replaces: token !== undefined }, abort);
      return true;
    },

    async sent(endpoint, authorization, abort = {}) {
      const credential = authorization === undefined ? undefined : await sessionOf(endpoint).credential(abort);
      return sentAt(endpoint, credential, abort);
    },
  };
}

/** Whether another token for these scopes would fare no better than the refused one. */
function isFinal(token: Token, wanted: readonly string[], { error }: BearerChallenge): boolean {
  if (token.scopes.join(" ") !== wanted.join(" ")) return false;
  // A token that was good before has expired or was revoked; one that took the place of a refused one and never was good will not be followed by a better one.
  return error === "insufficient_scope" || (token.replaces && token.uses <= 1);
}

function serverOf({ registry, origin }: Endpoint): string {
  return `${registry} ${origin}`;
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

function basicValue(credential: Credential | undefined, rotated: ReadonlyMap<string, string>): string | undefined {
  if (credential === undefined || credential.kind === "bearer") return undefined;
  return basicAuthorization(latest(credential, rotated));
}

function latest<C extends TokenCredential | undefined>(credential: C, rotated: ReadonlyMap<string, string>): C {
  if (credential?.kind !== "identity") return credential;
  return { ...credential, token: rotated.get(credential.token) ?? credential.token };
}

/** An answer that says no or makes no sense, rather than none or one that passes. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof RegistryError) || error.code === "REGISTRY_RATE_LIMITED") return false;
  return error.code === "REGISTRY_PROTOCOL" || (error.status !== undefined && error.status < 500);
}
