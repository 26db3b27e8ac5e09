import { SandboxError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";

/** What is scarce or slow for a while. */
const PASSING = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN", "EINTR", "ETIMEDOUT"]);

/** What pasta says of ports that it cannot have. */
const PORT_WORDS = /\bbind\b|\bports?\b/i;

/** What it says of what is scarce. */
const SCARCE_WORDS = /Too many open files|Cannot allocate memory|Resource temporarily unavailable|No buffer space/i;

/** What other namespaces of this user, which may end, have left none of; or none are allowed. */
const USED_UP = "ENOSPC";

/**
 * Whether an error of openNetwork says that this machine makes no such network, now at least: no right to, no tun device, no route, as many namespaces as there may
 * be, a pasta that hangs; rather than that it did not this time. Only then may the network be another than was meant.
 */
export function isRefusal(error: SandboxError): boolean {
  return isLastingRefusal(error) || isTimeout(error) || isUsedUp(error);
}

/** Whether it is a refusal that would come again in an hour. */
export function isLastingRefusal(error: SandboxError): boolean {
  const { failure } = error;
  if (failure === undefined || isUsedUp(error) || PASSING.has(failure.errno)) return false;
  return failure.errno !== "EPROTO" || !(PORT_WORDS.test(failure.path) || SCARCE_WORDS.test(failure.path));
}

/** As many namespaces as there may be are there. */
export function isUsedUp({ failure }: SandboxError): boolean {
  return failure?.errno === USED_UP;
}

export function isTimeout({ failure }: SandboxError): boolean {
  return failure?.errno === "ETIMEDOUT";
}

/** Whether a network was not opened since another program has a port that was to be published. */
export function isTakenPort(error: unknown): boolean {
  if (error instanceof SandboxError) return error.failure?.errno === "EPROTO" && PORT_WORDS.test(error.failure.path);
  return error instanceof TsbuildError && error.code === "PORT_IN_USE";
}
