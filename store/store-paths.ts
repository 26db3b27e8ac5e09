import { join } from "node:path";

/** The content format this program writes; content of another format lives in another `v` folder. */
export const formatFolder = "v1";

/** Where everything in a store is. Pure: nothing here touches the disk. */
export const storePaths = {
  ociLayout: (root: string) => join(root, "oci-layout"),
  index: (root: string) => join(root, "index.json"),
  blobs: (root: string) => join(root, "blobs", "sha256"),
  format: (root: string) => join(root, formatFolder),
  /** Written last when a store is made, so its presence means that all else is there. */
  version: (root: string) => join(root, formatFolder, "version"),
  /** Shared while something is pinned or named; exclusive while garbage is collected. */
  lock: (root: string) => join(root, formatFolder, "lock"),
  /** Exclusive while index.json is changed; the last lock to be taken. */
  indexLock: (root: string) => join(root, formatFolder, "index.lock"),
  /** Room for a shorter index.json where the disk has none; see keepSpare. */
  spare: (root: string) => join(root, formatFolder, "spare"),
  layers: (root: string) => join(root, formatFolder, "layers"),
  steps: (root: string) => join(root, formatFolder, "steps"),
  /** What registries said that names mean; see rememberImage. */
  remote: (root: string) => join(root, formatFolder, "remote"),
  /** Where blobs are known to be; see blobPlaces. */
  places: (root: string) => join(root, formatFolder, "places"),
  /** What layers come to when they are compressed; see rememberCompression. */
  compressed: (root: string) => join(root, formatFolder, "compressed"),
  /** Files of the web, by content, and what URLs meant. */
  downloads: (root: string) => join(root, formatFolder, "downloads"),
  /** Bare repositories, one for each remote. */
  git: (root: string) => join(root, formatFolder, "git"),
  /** Directories that RUN steps keep for later ones; see holdCache. */
  cacheMounts: (root: string) => join(root, formatFolder, "cache-mounts"),
  /** What the store was like when it was last brought within its limits; see keepLimits. */
  collected: (root: string) => join(root, formatFolder, "collected"),
  /** Containers that were kept, by name; see createContainer. */
  containers: (root: string) => join(root, formatFolder, "containers"),
  /** What failed steps left, for a look into them; see keepFailedStep. */
  failed: (root: string) => join(root, formatFolder, "failed"),
  leases: (root: string) => join(root, formatFolder, "leases"),
  locks: (root: string) => join(root, formatFolder, "locks"),
  /** Locks of steps that run; see withStepLock. */
  stepLocks: (root: string) => join(root, formatFolder, "locks", "steps"),
  tmp: (root: string) => join(root, formatFolder, "tmp"),
  trash: (root: string) => join(root, formatFolder, "trash"),
} as const;

/** What the digest is of that a lease pins a repository in `git` by. */
export function gitPinText(name: string): string {
  return `git ${name}`;
}

/** What the digest is of that a lease pins by what a failed step left. */
export function failedPinText(name: string): string {
  return `failed ${name}`;
}

/** What the digest is of that a lease pins all copies of a cache mount by. */
export function cachePinText(name: string): string {
  return `cache-mount ${name}`;
}

/**
 * `$TSBUILD_ROOT`, else /var/lib/tsbuild for root, else `$XDG_DATA_HOME`/tsbuild (default ~/.local/share/tsbuild).
 * Undefined where the environment names no home directory. An XDG path that is not absolute is ignored (XDG base directory spec).
 */
export function defaultStoreRoot(env: Readonly<Record<string, string | undefined>>, uid: number): string | undefined {
  if (env.TSBUILD_ROOT) return env.TSBUILD_ROOT;
  if (uid === 0) return "/var/lib/tsbuild";
  if (env.XDG_DATA_HOME?.startsWith("/")) return join(env.XDG_DATA_HOME, "tsbuild");
  return env.HOME ? join(env.HOME, ".local", "share", "tsbuild") : undefined;
}
