import { RegistryError } from "./registry-error.ts";
import { secondsText } from "./seconds-text.ts";
import { isNoTls, type TlsPeer, tlsFailure } from "./tls-failure.ts";

/** Where a request failed. */
export interface FailureContext extends TlsPeer {
  /** Host and port of the proxy in between. */
  readonly proxy?: string | undefined;
  /** The host was reached before: that its name does not resolve any more is a passing failure. */
  readonly reached: boolean;
  /** The beginning of the answer has come. */
  readonly answered?: boolean;
}

/** What failed on the way to an answer or in the middle of one, as a RegistryError. RegistryErrors pass as they are. */
export function connectionFailure(error: unknown, context: FailureContext): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  const tls = tlsFailure(error, code, context);
  if (tls !== undefined) return new RegistryError("REGISTRY_TLS", `${placeOf(context)}: ${tls.problem}`, { cause: error, hint: tls.hint });
  const [problem, retryable] = transportProblems[code] ?? otherProblem(error, code, context.answered ?? false);
  const passing = retryable || (code === "ENOTFOUND" && context.reached);
  // The cause of a parser's error would hold the server's answer, which may be anything.
  const cause = isParserError(error) ? {} : { cause: error };
  const hint = code === "ENOTFOUND" ? { hint: "check the name of the host, and that this machine has a network" } : {};
  return new RegistryError("REGISTRY_UNREACHABLE", `${placeOf(context)}: ${problem}`, { ...cause, ...hint, retryable: passing });
}

/** An answer of which too little came in the time that was waited for it, which another try may do better. */
export function slowAnswer(bytes: number, waitedMs: number, context: FailureContext): RegistryError {
  const problem = bytes === 0 ? "the transfer stalled" : `${bytes} bytes in ${secondsText(waitedMs)}: too slow`;
  return new RegistryError("REGISTRY_UNREACHABLE", `${placeOf(context)}: ${problem}`, { retryable: true });
}

/** Whether a failed connection shows that the server speaks plain http where TLS was tried. */
export function speaksNoTls(error: unknown): boolean {
  return error instanceof RegistryError && isNoTls(codeOf(error.cause));
}

/** Whether nobody listens there. */
export function isRefused(error: unknown): boolean {
  return error instanceof RegistryError && codeOf(error.cause) === "ECONNREFUSED";
}

/** The code of a system's, TLS's or undici's error; "" where there is none. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** A socket that was closed before it was ready. */
export function closedEarly(): Error {
  return coded("the socket was closed", "ECONNRESET");
}

/** A socket that was not ready in time. */
export function notInTime(): Error {
  return coded("no connection in time", "ETIMEDOUT");
}

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

function isParserError(error: unknown): boolean {
  return error instanceof Error && error.name === "HTTPParserError";
}

function placeOf({ host, proxy }: FailureContext): string {
  return proxy === undefined ? host : `${host} through the proxy ${proxy}`;
}

/** Code → what it means, and whether it passes. */
const transportProblems: Readonly<Record<string, readonly [problem: string, retryable: boolean]>> = {
  ENOTFOUND: ["the name does not resolve (ENOTFOUND)", false],
  EAI_AGAIN: ["the name server does not answer (EAI_AGAIN)", true],
  ECONNREFUSED: ["the connection is refused (ECONNREFUSED)", true],
  ECONNRESET: ["the connection broke (ECONNRESET)", true],
  ECONNABORTED: ["the connection broke (ECONNABORTED)", true],
  EPIPE: ["the connection broke (EPIPE)", true],
  ETIMEDOUT: ["no connection in time (ETIMEDOUT)", true],
  ENETUNREACH: ["the network cannot be reached (ENETUNREACH)", true],
  EHOSTUNREACH: ["the host cannot be reached (EHOSTUNREACH)", true],
  ENETDOWN: ["the network is down (ENETDOWN)", true],
  UND_ERR_SOCKET: ["the connection was closed", true],
  UND_ERR_HEADERS_TIMEOUT: ["no answer in time", true],
  UND_ERR_HEADERS_OVERFLOW: ["the answer's headers are too long", false],
  UND_ERR_DESTROYED: ["the connections were closed while the request was under way", false],
  UND_ERR_CLOSED: ["the connections were closed before the request", false],
};

function otherProblem(error: unknown, code: string, answered: boolean): readonly [problem: string, retryable: boolean] {
  // In the middle of an answer it is the end of the connection that the parser did not expect; before, also a Content-Length that no number can hold.
  if (isParserError(error) || code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH")
    return answered ? ["the answer broke off", true] : ["what it answers is not HTTP", false];
  // A record that a bad line damaged: TLS ends the connection, the next one may be well.
  if (code.startsWith("ERR_SSL_")) return [`the connection broke (${code})`, true];
  return [code === "" ? (error instanceof Error ? error.message : String(error)) : `the connection failed (${code})`, false];
}
