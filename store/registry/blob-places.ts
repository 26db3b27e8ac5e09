import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import { type Digest, hexOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { parseReference, type Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";

/** A repository that is known to have a blob. */
export type BlobPlace = Pick<Reference, "registry" | "repository">;

/**
 * Remembers where blobs are, so that a push can have them mounted from there (distribution spec, "Mounting a blob from another repository") instead of sending or even
 * compressing them. Only a memory: it may be wrong or lost at any time. A file for each blob, a line for each place.
 */
export interface BlobPlaces {
  /** Newest first, at most eight. */
  of(digest: Digest): Promise<readonly BlobPlace[]>;
  /** What is known already costs a small read each. */
  add(digests: Iterable<Digest>, place: BlobPlace): Promise<void>;
}

const maxPlaces = 8;

export function blobPlaces(store: Pick<Store, "root" | "tempFile">): BlobPlaces {
  const path = (digest: Digest) => join(storePaths.places(store.root), hexOf(digest));

  const write = async (digest: Digest, places: readonly BlobPlace[]) => {
    const bytes = Buffer.from(places.map((place) => `${textOf(place)}\n`).join(""));
    mkdirSync(dirname(path(digest)), { recursive: true, mode: 0o700 });
    await writeFileAtomically(await store.tempFile("place"), path(digest), bytes, { sync: false });
  };

  return {
    of: async (digest) => readPlaces(path(digest)),
    async add(digests, { registry, repository }) {
      const place = { registry, repository };
      for (const digest of new Set(digests)) {
        const known = readPlaces(path(digest));
        if (known.some((one) => textOf(one) === textOf(place))) continue;
        await write(digest, [place, ...known].slice(0, maxPlaces));
      }
    },
  };
}

function textOf({ registry, repository }: BlobPlace): string {
  return `${registry}/${repository}`;
}

/** None for what cannot be read: lines that name no repository are passed over, since a crash of the machine may leave anything. */
function readPlaces(path: string): readonly BlobPlace[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
  return text.split("\n", maxPlaces).flatMap((line) => placeOf(line) ?? []);
}

function placeOf(line: string): BlobPlace | undefined {
  try {
    const { registry, repository } = parseReference(line);
    return textOf({ registry, repository }) === line ? { registry, repository } : undefined;
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}
