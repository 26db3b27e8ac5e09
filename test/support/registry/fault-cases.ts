import type { FakeRegistry } from "./fake-registry.ts";
import type { Fault } from "./fault.ts";

/** A fault as the tests name it. */
export interface FaultCase {
  readonly name: string;
  /** For an expired token the registry itself is needed. */
  readonly fault: (registry: Pick<FakeRegistry, "expireTokens">) => Fault;
  /** How many requests in a row it hits; absent: one. */
  readonly times?: number;
}

/** What passes by itself: whoever tries again, in the right way, succeeds. */
export const passingFaults: readonly FaultCase[] = [
  { name: "a request cut before its body", fault: () => ({ kind: "cut request", at: 0 }) },
  { name: "a request cut in the middle", fault: () => ({ kind: "cut request", at: "middle" }) },
  { name: "a request cut at its last byte", fault: () => ({ kind: "cut request", at: Number.MAX_SAFE_INTEGER }) },
  { name: "an answer cut behind its head", fault: () => ({ kind: "cut response", at: 0 }) },
  { name: "an answer cut after a byte", fault: () => ({ kind: "cut response", at: 1 }) },
  { name: "an answer cut in the middle", fault: () => ({ kind: "cut response", at: "middle" }) },
  { name: "an answer that never comes", fault: () => ({ kind: "lost answer" }) },
  { name: "a request that stalls before its body", fault: () => ({ kind: "stall request", at: 0 }) },
  { name: "a request that stalls in the middle", fault: () => ({ kind: "stall request", at: "middle" }) },
  { name: "an answer that stalls in the middle", fault: () => ({ kind: "stall response", at: "middle" }) },
  { name: "a reset", fault: () => ({ kind: "reset" }) },
  { name: "connections refused for a while", fault: () => ({ kind: "refused connections", forMs: 20 }) },
  { name: "401 once", fault: () => ({ kind: "unauthorized" }) },
  { name: "a token that expires", fault: (registry) => ({ kind: "expired token", expire: () => registry.expireTokens() }) },
  { name: "429 with Retry-After", fault: () => ({ kind: "rate limited", retryAfter: "0" }) },
  { name: "429 without Retry-After", fault: () => ({ kind: "rate limited", retryAfter: undefined }) },
  { name: "500 twice", fault: () => ({ kind: "server error", status: 500 }), times: 2 },
  { name: "503 once", fault: () => ({ kind: "server error", status: 503 }) },
  { name: "an answer with a wrong byte", fault: () => ({ kind: "flipped byte", of: "response" }) },
  { name: "a request with a wrong byte", fault: () => ({ kind: "flipped byte", of: "request" }) },
  { name: "an answer that is said to be longer", fault: () => ({ kind: "wrong length", by: 1 }) },
  { name: "an answer that is a byte shorter", fault: () => ({ kind: "wrong length", by: -1 }) },
  { name: "a redirect to another host", fault: () => ({ kind: "redirect", status: 307 }) },
  { name: "a chunk out of order", fault: () => ({ kind: "chunk out of order" }) },
  { name: "a request that arrives twice", fault: () => ({ kind: "sent twice" }) },
];

const forEver = Number.POSITIVE_INFINITY;

/** What does not pass: the command fails, and says why. */
export const lastingFaults: readonly FaultCase[] = [
  { name: "every answer lost", fault: () => ({ kind: "lost answer" }), times: forEver },
  { name: "every request stalled", fault: () => ({ kind: "stall request", at: 0 }), times: forEver },
  { name: "every answer stalled", fault: () => ({ kind: "stall response", at: 0 }), times: forEver },
  { name: "every connection reset", fault: () => ({ kind: "reset" }), times: forEver },
  { name: "every request refused by 401", fault: () => ({ kind: "unauthorized" }), times: forEver },
  { name: "every request refused by 429", fault: () => ({ kind: "rate limited", retryAfter: undefined }), times: forEver },
  { name: "429 that lasts too long", fault: () => ({ kind: "rate limited", retryAfter: "3600" }), times: forEver },
  { name: "every request answered with 500", fault: () => ({ kind: "server error", status: 500 }), times: forEver },
  { name: "every request answered with 501", fault: () => ({ kind: "server error", status: 501 }), times: forEver },
  { name: "a wrong byte in every answer", fault: () => ({ kind: "flipped byte", of: "response" }), times: forEver },
  { name: "a wrong byte in every request", fault: () => ({ kind: "flipped byte", of: "request" }), times: forEver },
  { name: "a redirect for ever", fault: () => ({ kind: "redirect", status: 302 }), times: forEver },
];
