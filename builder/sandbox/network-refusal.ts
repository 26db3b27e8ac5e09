import type { SandboxError } from "../../runtime-addon/index.ts";

/** What is scarce or slow for a while. */
const PASSING = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN", "EINTR", "ETIMEDOUT"]);

/** What pasta says of ports that it cannot have, and of what is scarce. */
const PASSING_WORDS = /\bbind\b|\bports?\b|Too many open files|Cannot allocate memory|Resource temporarily unavailable|No buffer space/i;

/**
 * Whether an error of openNetwork says that this machine makes no such network (no right to, no tun device, no route), rather than that it did not
 * this time. Only then may the network be another than was meant.
 */
export function isLastingRefusal({ failure }: SandboxError): boolean {
  if (failure === undefined || PASSING.has(failure.errno)) return false;
  return failure.errno !== "EPROTO" || !PASSING_WORDS.test(failure.path);
}

export function isTimeout({ failure }: SandboxError): boolean {
  return failure?.errno === "ETIMEDOUT";
}
