import { constants } from "node:os";

/** A failed system call, in the shape of Node's own system errors. */
export interface SystemError extends Error {
  readonly code: string;
  /** Negative, as in Node. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

/** Whether an error is a failed system call (of Node or of the addon), optionally with one of these codes. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is SystemError {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as Partial<SystemError>;
  if (typeof code !== "string" || typeof syscall !== "string") return false;
  return codes.length === 0 || codes.includes(systemErrorCode(error as SystemError));
}

/** errno(3): what libuv has no names for, and Node and the addon say "Unknown system error -122" of. */
const nameless: ReadonlyMap<number, readonly [code: string, text: string]> = new Map([
  [-constants.errno.EDQUOT, ["EDQUOT", "disk quota exceeded"]],
  [-constants.errno.ENOLCK, ["ENOLCK", "no locks available"]],
  [-constants.errno.ESTALE, ["ESTALE", "stale file handle"]],
]);

/** Its name in errno(3), also where `code` has none. */
export function systemErrorCode({ code, errno }: SystemError): string {
  return nameless.get(errno)?.[0] ?? code;
}

/** Its message, with that name. */
export function systemErrorMessage({ message, errno }: SystemError): string {
  const [code, text] = nameless.get(errno) ?? [];
  if (code === undefined || text === undefined) return message;
  const unknown = `Unknown system error ${errno}`;
  return message.replace(`${unknown}: ${unknown}`, `${code}: ${text}`);
}
