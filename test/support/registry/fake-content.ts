import { createHash, randomUUID } from "node:crypto";

export interface FakeManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface FakeUpload {
  readonly id: string;
  readonly repository: string;
  readonly chunks: Buffer[];
  /** Bytes that have come. */
  size: number;
  /** Length of the first chunk. */
  firstChunk: number | undefined;
  /** Length of the last chunk; too small a one may only be the last. */
  lastChunk: number;
}

export interface FakeRepository {
  readonly blobs: Map<string, Buffer>;
  /** By digest. */
  readonly manifests: Map<string, FakeManifest>;
  /** Tag → digest. */
  readonly tags: Map<string, string>;
}

/** All that a registry holds. */
export interface FakeContent {
  readonly repositories: Map<string, FakeRepository>;
  /** Uploads that are neither finished nor given up, by id. */
  readonly uploads: Map<string, FakeUpload>;
  /** Makes the repository when it is not there. */
  repository(name: string): FakeRepository;
  startUpload(repository: string): FakeUpload;
  /** Digest of what a tag or digest names. */
  find(repository: string, reference: string): string | undefined;
  /** "repository digest: blob … is missing" of every manifest with holes; empty when the registry is whole. What is under a digest was checked when it came. */
  holes(): string[];
}

export function emptyContent(): FakeContent {
  const repositories = new Map<string, FakeRepository>();
  const uploads = new Map<string, FakeUpload>();
  return {
    repositories,
    uploads,
    repository(name) {
      const known = repositories.get(name);
      if (known !== undefined) return known;
      const made: FakeRepository = { blobs: new Map(), manifests: new Map(), tags: new Map() };
      repositories.set(name, made);
      return made;
    },
    startUpload(repository) {
      const upload: FakeUpload = {
        id: randomUUID(),
        repository,
        chunks: [],
        size: 0,
        firstChunk: undefined,
        lastChunk: Number.POSITIVE_INFINITY,
      };
      uploads.set(upload.id, upload);
      return upload;
    },
    find(name, reference) {
      const repository = repositories.get(name);
      const digest = reference.includes(":") ? reference : repository?.tags.get(reference);
      return digest !== undefined && repository?.manifests.has(digest) ? digest : undefined;
    },
    holes() {
      const holes: string[] = [];
      for (const [name, repository] of repositories) {
        for (const [digest, manifest] of repository.manifests) {
          for (const missing of missingIn(repository, manifest)) holes.push(`${name} ${digest}: ${missing} is missing`);
        }
        for (const [tag, digest] of repository.tags) {
          if (!repository.manifests.has(digest)) holes.push(`${name}:${tag}: manifest ${digest} is missing`);
        }
      }
      return holes;
    },
  };
}

/** As much of a manifest or index as a registry looks at. */
export interface ManifestFields {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: FakeDescriptor;
  readonly layers?: readonly FakeDescriptor[];
  readonly manifests?: readonly FakeDescriptor[];
  readonly subject?: FakeDescriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface FakeDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[];
}

export function fieldsOf(manifest: FakeManifest): ManifestFields {
  return JSON.parse(manifest.bytes.toString());
}

/** The blobs and manifests that the manifest names and the repository lacks; foreign layers and subjects may be elsewhere. */
export function missingIn(repository: FakeRepository, manifest: FakeManifest): string[] {
  const { config, layers = [], manifests = [] } = fieldsOf(manifest);
  const blobs = [...(config === undefined ? [] : [config]), ...layers].filter((one) => one.urls === undefined);
  return [
    ...blobs.filter(({ digest }) => !repository.blobs.has(digest)).map(({ digest }) => `blob ${digest}`),
    ...manifests.filter(({ digest }) => !repository.manifests.has(digest)).map(({ digest }) => `manifest ${digest}`),
  ];
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Digest of the bytes by the algorithm of another digest; undefined when that is none we know. */
export function digestLike(digest: string, bytes: Uint8Array): string | undefined {
  const [algorithm = ""] = digest.split(":");
  if (algorithm !== "sha256" && algorithm !== "sha512") return undefined;
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}
