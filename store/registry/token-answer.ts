/** What a token server gave out. */
export interface GrantedToken {
  readonly token: string;
  /** How long it is good for from when it was asked for, milliseconds. */
  readonly lifetimeMs: number;
  /** An identity token: the one that was sent, a new one in its place, or the one that was asked for. */
  readonly refreshToken?: string;
}

/** Of an answer that says nothing else (distribution "Token Authentication Specification"). */
const defaultLifetimeMs = 60_000;

/** Reads the body of a token server's 200. Throws a plain Error that says what is wrong with it, and never what is in it. */
export function parseTokenAnswer(body: Buffer): GrantedToken {
  const answer = jsonOf(body);
  if (typeof answer !== "object" || answer === null) throw new Error("the answer is no JSON object");
  const fields = answer as Readonly<Record<string, unknown>>;
  // "token" is the older name; OAuth2's "access_token" has to be the same where both are sent.
  const token = checked(fields.token || fields.access_token, "token");
  if (token === undefined) throw new Error("the answer holds no token");
  const refreshToken = checked(fields.refresh_token || undefined, "refresh_token");
  return { token, lifetimeMs: lifetimeOf(fields.expires_in), ...(refreshToken === undefined ? {} : { refreshToken }) };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // The parser's message quotes the text.
    throw new Error("the answer is no JSON");
  }
}

/** Visible ASCII alone: it goes into a header, where a line end would begin another one. */
function checked(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw new Error(`${name} is no text`);
  if (!/^[\x21-\x7e]+$/.test(value)) throw new Error(`${name} holds characters that cannot stand in a header`);
  return value;
}

function lifetimeOf(expiresIn: unknown): number {
  const seconds = typeof expiresIn === "string" ? Number(expiresIn) : expiresIn;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : defaultLifetimeMs;
}
