import { type Digest, hexOf } from "../digest.ts";

/** Names of the files of an OCI image layout (OCI image-layout spec), and of Docker's own list beside them. */
export const ociFiles = {
  layout: "oci-layout",
  index: "index.json",
  /** Read by `docker load` of every age; points at the same blobs. */
  dockerManifest: "manifest.json",
  /** Names and topmost layers, as Docker writes them beside its list. */
  dockerRepositories: "repositories",
  blob: (digest: Digest) => `blobs/sha256/${hexOf(digest)}`,
} as const;

/** Largest of these small files that is read. */
export const maxOciFileBytes = 4 * 1024 * 1024;
