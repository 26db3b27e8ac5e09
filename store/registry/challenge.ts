/** A way of proving who one is that a registry offers in WWW-Authenticate. */
export type Challenge = BearerChallenge | BasicChallenge;

/** A token server gives out what is to be sent (distribution "Token Authentication Specification"). */
export interface BearerChallenge {
  readonly scheme: "bearer";
  /** The token server's URL, as the registry wrote it: not to be believed. */
  readonly realm: string;
  readonly service?: string;
  /** Scopes separated by spaces. */
  readonly scope?: string;
  /** Why a token was refused (RFC 6750 §3.1): "invalid_token", "insufficient_scope". */
  readonly error?: string;
}

/** Name and password themselves are sent (RFC 7617). */
export interface BasicChallenge {
  readonly scheme: "basic";
  readonly realm?: string;
}

/** Longer header values are cut: more than any registry sends, and little work for what a hostile one may. */
const maxHeaderLength = 16 * 1024;

/**
 * Reads the values of WWW-Authenticate (RFC 9110 §11.6.1): several challenges may stand in one value. Schemes that are not known are left out, and so is a
 * Bearer without a realm; text that cannot be read ends the value. Never throws.
 */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap((value) => readValue(value.slice(0, maxHeaderLength)));
}

interface Raw {
  readonly scheme: string;
  /** By lower-case name; the first of several counts. */
  readonly params: Map<string, string>;
}

// Each is tried at one position and never goes back over what it has passed, so that the whole is read in linear time.
const separators = /[ \t,]*/y;
const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const equals = /[ \t]*=[ \t]*/y;
const quoted = /"([^"\\]*(?:\\.[^"\\]*)*)"/y;
/** Not a token in all servers: some leave the quotes of a URL away. */
const bare = /[^\s,"]+/y;
const token68 = / +[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;

function readValue(text: string): Challenge[] {
  const challenges: Raw[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(separators);
    const name = take(token)?.[0];
    if (name === undefined) break;
    const current = challenges.at(-1);
    if (current !== undefined && take(equals) !== null) {
      const value = take(quoted)?.[1]?.replace(/\\(.)/g, "$1") ?? take(bare)?.[0];
      if (value === undefined) break;
      const key = name.toLowerCase();
      if (!current.params.has(key)) current.params.set(key, value);
    } else {
      challenges.push({ scheme: name.toLowerCase(), params: new Map() });
      take(token68);
    }
  }
  return challenges.flatMap(known);
}

function known({ scheme, params }: Raw): Challenge[] {
  const realm = params.get("realm");
  if (scheme === "basic") return [{ scheme, ...(realm === undefined ? {} : { realm }) }];
  if (scheme !== "bearer" || realm === undefined) return [];
  const optional = (["service", "scope", "error"] as const).flatMap((name) => {
    const value = params.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return [{ scheme, realm, ...Object.fromEntries(optional) }];
}
