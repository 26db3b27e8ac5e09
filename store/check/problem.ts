import type { Digest } from "../digest.ts";

/** Something in a store that is not as it must be. */
export interface StoreProblem {
  readonly kind: "image" | "blob" | "tree" | "directory" | "record" | "download" | "stray";
  /** An image's name, a digest, or a path below the store. */
  readonly subject: string;
  /** How it is, as a message reads. */
  readonly problem: string;
  /** What repairs it. */
  readonly remedy: Remedy;
}

export type Remedy =
  /** It goes; what is worth anything of it is made again when it is next wanted. */
  | { readonly do: "remove"; readonly path: string }
  /** The layer is read again from its blob. */
  | { readonly do: "index"; readonly diffId: Digest }
  /** The image is taken off the list: it cannot be made whole here. */
  | { readonly do: "unlist"; readonly listed: Digest };
