import { canonicalJson } from "../canonical-json.ts";
import { type Digest, hexOf } from "../digest.ts";
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

/** Which tags of which repositories the archive has, each with its image's topmost layer: only loaders older than the list read it. */
export function dockerRepositories(images: readonly DockerImage[]): OuterFile {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { layers, names } of images) {
    const top = layers.at(-1);
    if (top === undefined) continue;
    for (const reference of names) {
      const { registry, repository, tag = "latest" } = reference;
      const name = familiarName({ registry, repository });
      repositories[name] = { ...repositories[name], [tag]: hexOf(top) };
    }
  }
  return smallFile(ociFiles.dockerRepositories, canonicalJson(repositories));
}

/** Docker's form: short, but always with its tag. */
function taggedName(reference: Reference): string {
  const name = familiarName(reference);
  return reference.tag === "latest" ? `${name}:latest` : name;
}
