import type { RouteKind } from "./fake-routes.ts";

/**
 * What goes wrong with a request on its way. Positions count from the first byte of the body; "middle" is half of the content-length. A body that ends before
 * is cut when it is done, but before the other side hears of it.
 */
export type Fault =
  /** The connection breaks while the request's body is on its way. */
  | { readonly kind: "cut request"; readonly at: number | "middle" }
  /** The registry has done its work; the connection breaks while its answer is on its way. */
  | { readonly kind: "cut response"; readonly at: number | "middle" }
  /** As "cut response", before the status line. */
  | { readonly kind: "lost answer" }
  /** Nobody reads on, nobody answers. */
  | { readonly kind: "stall request"; readonly at: number | "middle" }
  | { readonly kind: "stall response"; readonly at: number | "middle" }
  /** TCP reset before the registry hears of the request. */
  | { readonly kind: "reset" }
  /** As "reset", and until so many milliseconds later nobody listens. */
  | { readonly kind: "refused connections"; readonly forMs: number }
  /** The request arrives without its Authorization. */
  | { readonly kind: "unauthorized" }
  /** `expire` is called first: the token is good no longer. */
  | { readonly kind: "expired token"; readonly expire: () => void }
  | { readonly kind: "rate limited"; readonly retryAfter: string | undefined }
  | { readonly kind: "server error"; readonly status: number }
  /** The last byte of the response's body, or of a request's body, is another one. */
  | { readonly kind: "flipped byte"; readonly of: "request" | "response" }
  /** The answer's content-length says one byte more, or the answer has one byte less and says so. */
  | { readonly kind: "wrong length"; readonly by: 1 | -1 }
  /** The answer is at another host, which must not see credentials. */
  | { readonly kind: "redirect"; readonly status: 302 | 307 }
  /** A chunk's content-range is not where the upload stands. */
  | { readonly kind: "chunk out of order" }
  /** The registry gets the request twice; the client hears the second answer. */
  | { readonly kind: "sent twice" };

/** A request of a recorded run: the nth, from 1, of those with the same method and kind of path. */
export interface Step {
  readonly method: string;
  readonly route: RouteKind;
  readonly nth: number;
}

export function stepName({ method, route, nth }: Step): string {
  return `${method} ${route} ${nth}`;
}
