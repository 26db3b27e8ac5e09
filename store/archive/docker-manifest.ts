import { canonicalJson } from "../canonical-json.ts";
import type { Digest } from "../digest.ts";
import { familiarName, type Reference } from "../reference.ts";
import { ociFiles } from "./oci-files.ts";
import { type OuterFile, smallFile } from "./outer-tar-write.ts";

/** What `docker load` reads of an image. Its blobs are where an image layout has them. */
export interface DockerImage {
  readonly config: Digest;
  /** Bottom first. */
  readonly layers: readonly Digest[];
  /** Names with a tag. */
  readonly names: readonly Reference[];
}

/** Docker's own list of the images of an archive. */
export function dockerManifest(images: readonly DockerImage[]): OuterFile {
  const entries = images.map(({ config, layers, names }) => ({
    Config: ociFiles.blob(config),
    RepoTags: names.map(taggedName),
    Layers: layers.map(ociFiles.blob),
  }));
  return smallFile(ociFiles.dockerManifest, canonicalJson(entries));
}

/** Docker's form: short, but always with its tag. */
function taggedName(reference: Reference): string {
  const name = familiarName(reference);
  return reference.tag === "latest" ? `${name}:latest` : name;
}
