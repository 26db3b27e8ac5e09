import { dirname, join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import { type Digest, hexOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { readUsed } from "../last-use.ts";
import { makeDirectories } from "../make-directories.ts";
import { parseReference, type Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";

/** A repository that is known to have a blob. */
export type BlobPlace = Pick<Reference, "registry" | "repository">;

/**
 * Remembers where blobs are, so that a push can have them mounted from there (distribution spec, "Mounting a blob from another repository") instead of sending or even
 * compressing them; and which of them came from a registry at all. Only a memory: it may be wrong or lost at any time, and what cannot be written is not remembered. A file for
 * each blob, a line for each place; above them a line of its own where the blob came from a registry.
 */
export interface BlobPlaces {
  /** Newest first, at most eight. */
  of(digest: Digest): Promise<readonly BlobPlace[]>;
  /** Whether a registry ever gave the blob, or an image with it. False for what was only sent to registries. */
  cameFromRegistry(digest: Digest): Promise<boolean>;
  /** `how`: whether the place gave these blobs, or was given them. What is known already costs a small read each. */
  add(digests: Iterable<Digest>, place: BlobPlace, how: "received" | "sent"): Promise<void>;
}

interface Known {
  readonly received: boolean;
  readonly places: readonly BlobPlace[];
}

const maxPlaces = 8;
/** No reference. */
const receivedLine = "#received";

export function blobPlaces(store: Pick<Store, "root" | "tempFile">): BlobPlaces {
  const path = (digest: Digest) => join(storePaths.places(store.root), hexOf(digest));

  const write = async (digest: Digest, { received, places }: Known) => {
    const lines = [...(received ? [receivedLine] : []), ...places.map(textOf)];
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    makeDirectories(dirname(path(digest)), 0o700);
    await writeFileAtomically(await store.tempFile("place"), path(digest), bytes, { sync: false });
  };

  const addOne = async (digest: Digest, place: BlobPlace, how: "received" | "sent") => {
    const known = readPlaces(path(digest));
    const received = known.received || how === "received";
    const isKnown = known.places.some((one) => textOf(one) === textOf(place));
    if (isKnown && received === known.received) return;
    await write(digest, { received, places: isKnown ? known.places : [place, ...known.places].slice(0, maxPlaces) });
  };

  return {
    of: async (digest) => readPlaces(path(digest)).places,
    cameFromRegistry: async (digest) => readPlaces(path(digest)).received,
    async add(digests, { registry, repository }, how) {
      try {
        for (const digest of new Set(digests)) await addOne(digest, { registry, repository }, how);
      } catch (error) {
        // Whatever was done with the blobs is done.
        if (!isSystemError(error)) throw error;
      }
    },
  };
}

function textOf({ registry, repository }: BlobPlace): string {
  return `${registry}/${repository}`;
}

/** Nothing for what cannot be read: lines that name no repository are passed over, since a crash of the machine may leave anything. */
function readPlaces(path: string): Known {
  let text: string;
  try {
    text = readUsed(path).toString("utf8");
  } catch (error) {
    if (isSystemError(error)) return { received: false, places: [] };
    throw error;
  }
  const [first = "", ...others] = text.split("\n", maxPlaces + 1);
  const received = first === receivedLine;
  const lines = received ? others : [first, ...others].slice(0, maxPlaces);
  return { received, places: lines.flatMap((line) => placeOf(line) ?? []) };
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
