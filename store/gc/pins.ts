import { closeSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../../runtime-addon/index.ts";
import { type Digest, isDigest } from "../digest.ts";
import { openIfRegular } from "../regular-file.ts";
import { storePaths } from "../store-paths.ts";
import { namesIn } from "./allocated.ts";

/** The leases whose processes live, and what they pin. */
export interface Pins {
  readonly leases: ReadonlySet<string>;
  readonly digests: ReadonlySet<Digest>;
}

/** While the store's lock is held exclusively nothing is pinned anew. */
export async function livingPins(root: string): Promise<Pins> {
  const leases = new Set<string>();
  const digests = new Set<Digest>();
  for (const id of namesIn(storePaths.leases(root))) {
    const text = await readLiving(join(storePaths.leases(root), id));
    if (text === undefined) continue;
    leases.add(id);
    for (const line of text.split("\n")) if (isDigest(line)) digests.add(line);
  }
  return { leases, digests };
}

async function readLiving(path: string): Promise<string | undefined> {
  const fd = openIfRegular(path, constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    // Its owner has it locked as long as it lives.
    return (await lockFile(fd, "shared", { wait: false })) ? undefined : readFileSync(fd, "latin1");
  } finally {
    closeSync(fd);
  }
}
