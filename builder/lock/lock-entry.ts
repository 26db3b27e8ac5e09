/** What an entry stands for: an image of one platform, what a ref of a repository means, a file of the web. */
export type LockKind = "images" | "git" | "http";

/** One thing that a build took from elsewhere, and which one it was. */
export interface LockEntry {
  readonly kind: LockKind;
  /** As the file has it: a full image name, a repository, a URL. */
  readonly name: string;
  /** The platform of an image, the ref of a repository ("HEAD" where none is named), "" of a file. */
  readonly of: string;
  /** Digest of the platform's manifest; commit; digest of the file. */
  readonly value: string;
}

/** Tells entries apart: no two of one lock have the same key. */
export function entryKey({ kind, name, of }: Omit<LockEntry, "value">): string {
  return JSON.stringify([kind, name, of]);
}

/** How messages call it. */
export function describeEntry({ kind, name, of }: Omit<LockEntry, "value">): string {
  if (kind === "http") return name;
  return `${kind === "images" ? `image "${name}"` : name} (${of})`;
}
