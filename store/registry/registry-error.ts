import { type ErrorDetails, TsbuildError } from "../errors.ts";

/** One of the registry's own words about a failure (distribution spec, "Error Codes"). */
export interface Diagnostic {
  readonly code: string;
  readonly message: string;
}

/** Of an image that a registry does not have. */
export const noSuchImageHint = "check the name and the tag; tsbuild ls-remote lists the tags of a repository";

export type RegistryErrorCode =
  /** No connection, a broken one, no answer in time, a name that does not resolve. */
  | "REGISTRY_UNREACHABLE"
  /** The certificate is not trusted, or TLS cannot be agreed on. */
  | "REGISTRY_TLS"
  /** 401 and 403 after all credentials were tried, and tokens that are refused. */
  | "REGISTRY_DENIED"
  /** 429 until the deadline. */
  | "REGISTRY_RATE_LIMITED"
  /** The manifest, blob or repository is not there. */
  | "REGISTRY_NOT_FOUND"
  /** Any other status that says no. */
  | "REGISTRY_FAILED"
  /** An answer that the distribution spec does not allow. */
  | "REGISTRY_PROTOCOL";

export interface RegistryErrorDetails extends ErrorDetails {
  readonly status?: number | undefined;
  readonly diagnostics?: readonly Diagnostic[] | undefined;
  /** The same request may succeed later: the only thing that the retry policy asks. */
  readonly retryable?: boolean | undefined;
  /** The server's own wish, milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A registry, or the way to it, failed. No message, hint or cause of it carries credentials, tokens, or a URL's query or user part. */
export class RegistryError extends TsbuildError {
  override readonly code: RegistryErrorCode;
  readonly status: number | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: RegistryErrorCode, message: string, details: RegistryErrorDetails = {}) {
    super(code, message, details);
    this.code = code;
    this.status = details.status;
    this.diagnostics = details.diagnostics ?? [];
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}
