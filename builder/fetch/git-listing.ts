import { type CheckoutLimits, type CheckoutSize, grown } from "./checkout-limits.ts";
import type { CheckoutOptions } from "./git-checkout.ts";
import { parseSubmodules, type Submodule, submoduleKeys } from "./git-modules.ts";

/** A submodule of a commit, and the commit that it stands for. */
export interface PinnedSubmodule extends Submodule {
  readonly commit: string;
}

/** What a commit's tree has, submodules apart. */
export interface CommitListing {
  /** Of `before`, and of this tree. */
  readonly size: CheckoutSize;
  /** Commits that stand for submodules, by path. */
  readonly gitlinks: ReadonlyMap<string, string>;
  /** There is a file of that name. */
  readonly hasModules: boolean;
}

/** Reads a commit's tree without a file being written, and not further than the limits allow. Throws GIT_FAILED, TOO_LARGE. */
export async function listCommit(
  { client, repository, commit, doing }: CheckoutOptions,
  before: CheckoutSize,
  limits: CheckoutLimits,
): Promise<CommitListing> {
  let size = before;
  const gitlinks = new Map<string, string>();
  let hasModules = false;
  const entries = splitEntries((entry) => {
    const [, mode, object = "", length, path = ""] = /^(\d+) [a-z]+ ([0-9a-f]+) +(\d+|-|BAD)\t(.*)$/s.exec(entry) ?? [];
    size = grown(size, { entries: 1, nameBytes: path.length, bytes: Number(length) || 0 }, limits, doing);
    if (mode === "160000") gitlinks.set(path, object);
    hasModules ||= path === ".gitmodules" && mode?.startsWith("100") === true;
  });
  const onOutput = (chunk: Buffer) => {
    entries.push(chunk);
    // A single name that does not end counts, too.
    grown(size, { nameBytes: entries.restBytes() }, limits, doing);
  };
  // With directories: trees without any file would be read for ever, and nothing be heard of them.
  await client.must(doing, ["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit], { gitDir: repository.gitDir, onOutput });
  return { size, gitlinks, hasModules };
}

/**
 * What .gitmodules names and the commit's tree really has as a submodule. That the tree has a path does not mean that the checkout has it: one that was made by hand may hold a name
 * twice, a directory and a link.
 */
export async function submodulesOf(
  { client, repository, commit }: CheckoutOptions,
  { gitlinks, hasModules }: CommitListing,
): Promise<readonly PinnedSubmodule[]> {
  if (!hasModules || gitlinks.size === 0) return [];
  const { gitDir } = repository;
  const listed = await client.local(["config", "--blob", `${commit}:.gitmodules`, "-z", "--get-regexp", submoduleKeys], { gitDir });
  const taken = new Set<string>();
  return parseSubmodules(listed.output.toString("utf8")).flatMap((module) => {
    const pinned = gitlinks.get(module.path);
    if (pinned === undefined || taken.has(module.path)) return [];
    taken.add(module.path);
    return [{ ...module, commit: pinned }];
  });
}

/** Texts that end with a null byte each, out of chunks. */
function splitEntries(onEntry: (entry: string) => void) {
  let rest: Buffer[] = [];
  let restBytes = 0;
  return {
    restBytes: () => restBytes,
    push(chunk: Buffer): void {
      let start = 0;
      for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
        onEntry(Buffer.concat([...rest, chunk.subarray(start, end)]).toString("utf8"));
        rest = [];
        restBytes = 0;
        start = end + 1;
      }
      if (start === chunk.length) return;
      rest.push(chunk.subarray(start));
      restBytes += chunk.length - start;
    },
  };
}
