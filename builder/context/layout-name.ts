import { resolve } from "node:path";
import { type Digest, isDigest } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";

/** An image of an OCI image layout in a directory of the host. */
export interface LayoutName {
  /** Absolute. */
  readonly directory: string;
  /** As index.json names it; absent: "latest", or the only image. */
  readonly tag?: string;
  /** Of a manifest or an index; the tag does not count then. */
  readonly digest?: Digest;
}

const scheme = "oci-layout://";

/** The name under which plan, progress and image finder know such an image: "oci-layout:///images/app:v1". A colon in the directory is written "%3A". */
export function layoutName(path: string, name: string | undefined): string {
  const directory = resolve(path).replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll("@", "%40");
  return `${scheme}${directory}${name === undefined ? "" : name.startsWith("@") ? name : `:${name}`}`;
}

/** Throws INVALID_REFERENCE for a digest that is none. */
export function parseLayoutName(image: string): LayoutName {
  const [, directory = "", tag, digest] = /^([^:@]*)(?::([^@]*))?(?:@(.*))?$/s.exec(image.slice(scheme.length)) ?? [];
  if (digest !== undefined && !isDigest(digest))
    throw new TsbuildError("INVALID_REFERENCE", `reading the image name "${image}": "${digest}" is not sha256:<64 hex digits>`);
  return {
    directory: directory.replaceAll("%40", "@").replaceAll("%3A", ":").replaceAll("%25", "%"),
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}
