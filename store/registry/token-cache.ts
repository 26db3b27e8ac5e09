import { coversScopes } from "./scope.ts";

/** An access token, in memory only. */
export interface Token {
  readonly value: string;
  /** What it was asked for; the server may have granted less. */
  readonly scopes: readonly string[];
  /** Milliseconds of the cache's clock. */
  readonly askedAt: number;
  readonly lifetimeMs: number;
  /** Asked for because another one had been refused. */
  readonly replaces: boolean;
  /** How often it was taken. */
  readonly uses: number;
}

/** The tokens of one repository at one server. */
export interface Tokens {
  add(token: Omit<Token, "uses">): Token;
  /** The newest good token for these scopes, which is about to be used. */
  take(scopes: readonly string[]): Token | undefined;
  /** Whether there would be one. */
  has(scopes: readonly string[]): boolean;
  /** Not to be handed out any more. Answers what was known of it. */
  refuse(value: string | undefined): Token | undefined;
}

/** A token is renewed this long before it expires: it has to be good until the registry looks at it. Of short-lived ones a quarter of their time. */
const marginMs = 10_000;

export function tokenCache(now: () => number): Tokens {
  /** Newest first. Refused ones stay, so that what several requests say about one of them is understood. */
  let held: { token: Token; uses: number; refused: boolean }[] = [];

  const find = (scopes: readonly string[]) =>
    held.find(({ token, refused }) => !refused && coversScopes(token.scopes, scopes) && !isStale(token, now()));

  return {
    add(token) {
      const added = { ...token, uses: 0 };
      const entry = { token: added, uses: 0, refused: false };
      held = [entry, ...held.filter((other) => other.token.value !== token.value && other.token.askedAt + other.token.lifetimeMs > now())];
      return added;
    },
    take(scopes) {
      const entry = find(scopes);
      if (entry === undefined) return undefined;
      entry.uses += 1;
      return { ...entry.token, uses: entry.uses };
    },
    has: (scopes) => find(scopes) !== undefined,
    refuse(value) {
      const entry = held.find(({ token }) => token.value === value);
      if (entry === undefined) return undefined;
      entry.refused = true;
      return { ...entry.token, uses: entry.uses };
    },
  };
}

function isStale({ askedAt, lifetimeMs }: Token, now: number): boolean {
  return askedAt + lifetimeMs - Math.min(marginMs, lifetimeMs / 4) <= now;
}
