import { TsbuildError } from "./errors.ts";
import { isSystemError } from "./system-error.ts";

/** What travels between a program and its namespace worker, over Node's IPC channel with structured clones. */
export type WorkerMessage = WorkerReady | WorkerRequest | WorkerCancel | WorkerReply;

/** The first message of a worker: it listens. */
export interface WorkerReady {
  readonly ready: true;
}

export interface WorkerRequest {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

/** The request with this id is given up; its reply still comes. */
export interface WorkerCancel {
  readonly cancel: number;
}

export type WorkerReply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: PortableError };

/** An error as plain data: only what a caller may rely on. */
export interface PortableError {
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
  readonly dest?: string;
  readonly stack?: string;
}

export function packError(error: unknown): PortableError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code, hint, errno, syscall, path, dest } = error as Partial<Record<keyof PortableError, unknown>>;
  return {
    message: error.message,
    ...(typeof code === "string" && { code }),
    ...(typeof hint === "string" && { hint }),
    ...(typeof errno === "number" && { errno }),
    ...(typeof syscall === "string" && { syscall }),
    ...(typeof path === "string" && { path }),
    ...(typeof dest === "string" && { dest }),
    ...(error.stack !== undefined && { stack: error.stack }),
  };
}

/** The error again: a TsbuildError where it was one, else one that isSystemError recognises where it was one. */
export function reviveError({ message, stack, ...fields }: PortableError): Error {
  const { code, hint, syscall } = fields;
  if (code !== undefined && syscall === undefined) return new TsbuildError(code, message, hint === undefined ? {} : { hint });
  const error = Object.assign(new Error(message), fields);
  // For a bug in the worker, its own stack is the one that tells.
  if (stack !== undefined && !isSystemError(error)) error.stack = stack;
  return error;
}
