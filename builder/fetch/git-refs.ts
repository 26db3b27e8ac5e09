/** What a remote says that a name means. */
export interface ResolvedRef {
  /** Full, lower case. */
  readonly commit: string;
  /** "refs/heads/main"; absent where the commit was named itself. */
  readonly name?: string;
  /** The annotated tag's own object. */
  readonly tag?: string;
}

const objectForm = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isFullCommit(ref: string): boolean {
  return objectForm.test(ref);
}

/** Patterns that `ls-remote` is asked for, so that a server with many refs sends few. */
export function refPatterns(ref: string | undefined): readonly string[] {
  return ref === undefined ? ["HEAD"] : [ref, `${ref}^{}`];
}

/**
 * What a ref means by the lines of `git ls-remote --symref`: the ref of exactly this name below refs/, then a branch, then a tag, as git-checkout has it; of an annotated tag the
 * commit. No ref is HEAD. Undefined where the remote has none.
 */
export function chooseRef(lines: string, ref: string | undefined): ResolvedRef | undefined {
  const objects = new Map<string, string>();
  const symbolic = new Map<string, string>();
  for (const line of lines.split("\n")) {
    const [value = "", name = ""] = line.split("\t");
    if (value.startsWith("ref: ")) symbolic.set(name, value.slice("ref: ".length));
    else if (objectForm.test(value)) objects.set(name, value);
  }
  const wanted = ref ?? "HEAD";
  const below = (prefix: string) => `${prefix}${wanted.startsWith(prefix) ? wanted.slice(prefix.length) : wanted}`;
  const candidates = wanted === "HEAD" ? ["HEAD"] : [below("refs/"), below("refs/heads/"), below("refs/tags/")];
  const name = candidates.find((candidate) => objects.has(candidate));
  const object = name === undefined ? undefined : objects.get(name);
  if (name === undefined || object === undefined) return undefined;
  const commit = objects.get(`${name}^{}`);
  const real = symbolic.get(name) ?? name;
  const named = real.startsWith("refs/") ? { name: real } : {};
  return commit === undefined ? { commit: object, ...named } : { commit, tag: object, ...named };
}
