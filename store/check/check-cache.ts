import { existsSync } from "node:fs";
import { dirname, relative } from "node:path";
import { type Digest, hexOf } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { fileItems } from "../gc/cache-items.ts";
import type { Store } from "../store.ts";
import { digestOfFile } from "./check-blobs.ts";
import { fileIdentity, type StoreProblem } from "./problem.ts";

/** Records of steps, of registries and of the web: whole, and leading to what is there. Files of the web by their digests. */
export async function checkCache(store: Store, damaged: ReadonlySet<Digest>, { signal }: Abortable = {}): Promise<readonly StoreProblem[]> {
  const problems: StoreProblem[] = [];
  const items = fileItems(store.root);
  const kept = new Set([...items.values()].map(({ keeps }) => keeps));
  const isGone = (digest: Digest) => damaged.has(digest) || !existsSync(store.blobs.path(digest));
  for (const { kind, path, torn, needsBlobs, blobs, follows, pinnedBy } of items.values()) {
    signal?.throwIfAborted();
    const seen = fileIdentity(path);
    const add = (problem: string) => {
      // Collected meanwhile.
      if (!existsSync(path)) return;
      problems.push({
        kind: kind === "downloads" ? "download" : "record",
        subject: relative(store.root, path),
        problem,
        remedy: { do: "remove", path, seen },
      });
    };
    const lost = needsBlobs === true ? blobs.find(isGone) : undefined;
    if (torn === true) add("it is torn");
    else if (lost !== undefined) add(`its layer ${lost} is gone`);
    else if (follows !== undefined && !existsSync(follows) && !kept.has(path))
      add(`it leads to ${relative(store.root, follows)}, which is gone`);
    else if (kind === "downloads" && pinnedBy !== undefined) {
      const actual = await digestOfFile(dirname(path), hexOf(pinnedBy));
      if (actual !== undefined && actual !== pinnedBy) add(`its bytes hash to ${actual}`);
    }
  }
  return problems;
}
