import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether an OCI image layout lists an image under `name` whose only layer is the tar with this sha256 (64 hex digits).
 * It reads the layout as any tool may, so that an unchanged base costs no start of the program.
 */
export function storeHolds(store, name, tarDigest) {
  const blob = (digest) => JSON.parse(readFileSync(join(store, "blobs", ...digest.split(":")), "utf8"));
  try {
    const index = JSON.parse(readFileSync(join(store, "index.json"), "utf8"));
    const entry = index.manifests.find(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"] === name);
    if (entry === undefined) return false;
    const layers = blob(blob(entry.digest).config.digest).rootfs.diff_ids;
    return layers.length === 1 && layers[0] === `sha256:${tarDigest}`;
  } catch (error) {
    // A store that is not there, or not yet, holds nothing; what is wrong with a damaged one the import will say.
    if (error.code === "ENOENT" || error instanceof SyntaxError) return false;
    throw error;
  }
}
