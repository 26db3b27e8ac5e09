import { collect } from "../file-bytes.ts";
import { replaceUnseen } from "../unseen.ts";
import type { HttpResponse } from "./http-message.ts";
import { type Diagnostic, RegistryError, type RegistryErrorCode, type RegistryErrorDetails } from "./registry-error.ts";
import { type Blot, blotting } from "./secrets.ts";

/** What is known besides the answer itself. */
export interface AnswerContext {
  /** As credentials know it: hints say `tsbuild login` with it. */
  readonly registry: string;
  /** What was sent and must not come back in an error. */
  readonly secrets?: readonly string[] | undefined;
  /** Date.now, against which a Retry-After date is read. */
  readonly now?: (() => number) | undefined;
}

/** Diagnostics are a few lines; what is longer is something else. */
const largestBody = 64 * 1024;
const longestCode = 100;
const longestMessage = 400;

/**
 * What a status that says no means, with the registry's own words about it (distribution spec, "Error Codes", and the forms that token servers, Docker Hub and
 * JFrog use instead). Reads the answer's body, or as much of it as diagnostics may be long. Throws `signal.reason` of the request alone.
 */
export async function responseError(response: HttpResponse, context: AnswerContext, signal?: AbortSignal): Promise<RegistryError> {
  const diagnostics = await diagnosticsOf(response, blotting(context.secrets ?? []));
  signal?.throwIfAborted();
  const { status } = response;
  const { code, retryable, hint } = meaningOf(status, diagnostics, context.registry);
  const retryAfterMs = retryable ? retryAfter(response.header("retry-after"), context.now ?? Date.now) : undefined;
  const details: RegistryErrorDetails = { status, diagnostics, retryable, retryAfterMs, ...(hint !== undefined && { hint }) };
  const words = diagnostics.map(({ code, message }) => [message, code === "" ? "" : `[${code}]`].filter((text) => text !== "").join(" "));
  const reason = [`${status}${nameOf(status)}`, ...(words.length > 0 ? [words.join("; ")] : [])].join(": ");
  return new RegistryError(code, `${response.url.host} answers ${reason}`, details);
}

interface Meaning {
  readonly code: RegistryErrorCode;
  readonly retryable: boolean;
  readonly hint?: string;
}

function meaningOf(status: number, diagnostics: readonly Diagnostic[], registry: string): Meaning {
  const final = (code: RegistryErrorCode, hint?: string): Meaning => ({ code, retryable: false, ...(hint !== undefined && { hint }) });
  const passing = (code: RegistryErrorCode, hint?: string): Meaning => ({ ...final(code, hint), retryable: true });
  switch (status) {
    case 401:
    case 403:
      // Who knows what was sent has a hint.
      return final("REGISTRY_DENIED");
    case 404:
    case 410:
      return final("REGISTRY_NOT_FOUND", "check the name and the tag; some registries answer so too when a login is wanted");
    case 407:
      return final(
        "REGISTRY_UNREACHABLE",
        "the proxy asks for a name and a password: http://USER:PASSWORD@HOST:PORT in HTTP_PROXY or HTTPS_PROXY",
      );
    case 408:
    case 425:
      return passing("REGISTRY_FAILED");
    case 413:
      return final("REGISTRY_FAILED", "the registry, or a proxy in front of it, takes no body of this size");
    case 429:
      return passing(
        "REGISTRY_RATE_LIMITED",
        // Docker Hub counts pulls for six hours, by address or by account.
        diagnostics.some(({ message }) => /pull rate limit/i.test(message))
          ? `logged in, more pulls are allowed: tsbuild login ${registry}; or pull through a mirror`
          : undefined,
      );
    // Not what passes: not implemented, no such version of HTTP, no room left.
    case 501:
    case 505:
    case 507:
      return final("REGISTRY_FAILED");
  }
  if (status >= 500) return passing("REGISTRY_FAILED");
  return final(status >= 400 ? "REGISTRY_FAILED" : "REGISTRY_PROTOCOL");
}

const names: Readonly<Record<number, string>> = {
  400: "bad request",
  401: "unauthorized",
  403: "forbidden",
  404: "not found",
  405: "method not allowed",
  407: "proxy authentication required",
  408: "request timeout",
  409: "conflict",
  412: "precondition failed",
  413: "content too large",
  415: "unsupported media type",
  416: "range not satisfiable",
  429: "too many requests",
  500: "internal server error",
  501: "not implemented",
  502: "bad gateway",
  503: "service unavailable",
  504: "gateway timeout",
};

function nameOf(status: number): string {
  const name = names[status];
  return name === undefined ? "" : ` ${name}`;
}

/** Milliseconds of a Retry-After: whole seconds or a date (RFC 9110 §10.2.3). */
export function retryAfter(value: string | undefined, now: () => number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse takes much for a date ("-5" among it); HTTP's begin with the day.
  const date = /^[A-Z][a-z]+,? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now());
}

/** None when there is no body, or it cannot be read, or says nothing that is meant for us. */
async function diagnosticsOf(response: HttpResponse, blot: Blot): Promise<readonly Diagnostic[]> {
  let text: string;
  try {
    text = (await collect(response.body, largestBody, () => new Error("too long"))).toString("utf8");
  } catch {
    return [];
  }
  const value = jsonOf(text);
  if (value !== undefined) return fromJson(value, blot);
  // A page of a proxy in between is no diagnostic; one line of text is ("too many requests").
  const line = text.trim();
  const plain = response.header("content-type")?.startsWith("text/plain") ?? false;
  return plain && line !== "" && line.length <= longestMessage && !line.includes("\n") ? [diagnostic("", line, blot)] : [];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromJson(value: unknown, blot: Blot): readonly Diagnostic[] {
  if (!isRecord(value)) return [];
  if (Array.isArray(value.errors)) {
    const found = value.errors.slice(0, 5).map((entry) => (isRecord(entry) ? fromEntry(entry, blot) : undefined));
    return found.filter((entry) => entry !== undefined);
  }
  // {"detail"} and {"message"} of Docker Hub, {"details"} and {"error", "error_description"} of token servers.
  const entry = fromEntry(
    {
      code: value.error ?? value.code,
      message: value.error_description ?? value.message ?? value.detail ?? value.details,
    },
    blot,
  );
  return entry === undefined ? [] : [entry];
}

function fromEntry({ code, message }: Readonly<Record<string, unknown>>, blot: Blot): Diagnostic | undefined {
  const found = diagnostic(typeof code === "string" ? code : "", typeof message === "string" ? message : "", blot);
  return found.code === "" && found.message === "" ? undefined : found;
}

/** Somebody else's words, as one line without control characters, without our secrets and without what signed URLs carry. */
function diagnostic(code: string, message: string, blot: Blot): Diagnostic {
  const clean = (text: string): string => oneLine(withoutUrlSecrets(blot(text)));
  // Cut last: of a secret that was cut the beginning would not be recognised.
  return { code: clean(code).slice(0, longestCode), message: clean(message).slice(0, longestMessage) };
}

function oneLine(text: string): string {
  return replaceUnseen(text, () => " ")
    .replace(/ +/g, " ")
    .trim();
}

function withoutUrlSecrets(text: string): string {
  return text.replace(/:\/\/(?:[^\s/@"'<>]*@)?([^\s?#"'<>]*)[^\s"'<>]*/g, "://$1");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
