import { posix } from "node:path";
import { digestOf, hexOf } from "../../store/digest.ts";
import { parseImageQuery } from "../../store/image-lookup.ts";
import { fullName } from "../../store/reference.ts";

const layoutScheme = "oci-layout://";

/**
 * What an image is called in a lock file: its full name, so that "debian" and "docker.io/library/debian:latest" are one; "sha256:…" for an id of the store; of an
 * image in a layout of the host the path from the lock file's directory, which is the same in every checkout. Throws INVALID_REFERENCE.
 */
export function lockedImageName(name: string, directory: string): string {
  if (name.startsWith(layoutScheme)) return layoutScheme + posix.relative(directory, name.slice(layoutScheme.length));
  const query = parseImageQuery(name);
  return query.by === "name" ? fullName(query.reference) : `sha256:${query.hex}`;
}

/**
 * What a file of the web is called in a lock file, which is published with its Dockerfile: the URL without user, password and fragment, and with a digest in place of the query.
 * A query belongs to what is asked for and so must tell two URLs apart, but it is also where signatures and tokens stand, mostly out of a build argument.
 */
export function lockedUrl(text: string): string {
  const url = new URL(text);
  const query = url.search;
  Object.assign(url, { username: "", password: "", search: "", hash: "" });
  return query === "" ? url.href : `${url.href}?sha256:${hexOf(digestOf(query)).slice(0, queryDigits)}`;
}

/** Enough to tell apart what one Dockerfile names. */
const queryDigits = 16;
