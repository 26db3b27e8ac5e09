import { rmSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import { canonicalJson } from "../canonical-json.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { readUsed } from "../last-use.ts";
import { makeDirectories } from "../make-directories.ts";
import type { Platform } from "../oci.ts";
import { platformText } from "../platform.ts";
import type { Reference } from "../reference.ts";
import { askedName, rememberedFolder } from "../remembered-names.ts";
import type { Store } from "../store.ts";
import { blobPlaces } from "./blob-places.ts";
import { lazyRepository } from "./lazy-repository.ts";
import type { Registry } from "./registry.ts";
import { type ImageSource, imageFrom, type RemoteImage } from "./remote-image.ts";

/**
 * A base image whose layers were never needed is no image of the store: index.json lists whole images only. What its name meant for a platform is remembered in a file of its own,
 * with all its documents as they came, so that the next build asks no registry. Everything in it is checked against the digests again, down from the first one.
 */
interface Remembered {
  readonly name: string;
  /** As the repository was called, after rewriting. */
  readonly place: { readonly registry: string; readonly name: string };
  readonly listed: { readonly mediaType: string; readonly digest: Digest };
  /** RFC 3339. */
  readonly resolvedAt: string;
  /** Listed manifest, inner indexes, manifest, config: base64, found by their digests. */
  readonly documents: readonly string[];
}

/** Bytes of all documents. It is read at once by every build; an image of which it would be more is asked for again each time. */
const maxRememberedBytes = 16 * 2 ** 20;

/**
 * Replaces what was remembered of the reference for the image's platform, until an image of the store gets the name; remembers also where its layers are (blobPlaces). `now`:
 * milliseconds.
 */
export async function rememberImage(
  store: Pick<Store, "root" | "tempFile">,
  { reference, repository, platform, listed, indexes, rawManifest, rawConfig, layers }: RemoteImage,
  now: number = Date.now(),
): Promise<void> {
  const documents = [listed.bytes, ...indexes.map(({ bytes }) => bytes), rawManifest, rawConfig];
  const { mediaType, digest } = listed.descriptor;
  const remembered: Remembered = {
    name: askedName(reference),
    place: { registry: repository.registry, name: repository.name },
    listed: { mediaType, digest },
    resolvedAt: new Date(now).toISOString(),
    documents: [...new Set(documents.map((bytes) => bytes.toString("base64")))],
  };
  const path = pathOf(store.root, reference, platform);
  if (documents.reduce((sum, { length }) => sum + length, 0) > maxRememberedBytes) rmSync(path, { force: true });
  else {
    makeDirectories(rememberedFolder(store.root, reference), 0o700);
    await writeFileAtomically(await store.tempFile("remote"), path, canonicalJson(remembered), { sync: false });
  }
  const digests = layers.map(({ blob }) => blob.digest);
  await blobPlaces(store).add(digests, { registry: repository.registry, repository: repository.name }, "received");
}

/**
 * What was remembered, without asking anyone: one small read. The registry is opened when the image's repository is first used. Undefined when there is nothing, or nothing that can
 * be believed.
 */
export async function recallImage(
  store: Pick<Store, "root">,
  openRegistry: () => Promise<Registry>,
  reference: Reference,
  platform: Platform,
): Promise<RemoteImage | undefined> {
  const found = readRemembered(pathOf(store.root, reference, platform));
  if (found?.name !== askedName(reference)) return undefined;
  const documents = new Map<Digest, Buffer>();
  for (const text of found.documents) {
    const bytes = Buffer.from(text, "base64");
    documents.set(digestOf(bytes), bytes);
  }
  const bytes = documents.get(found.listed.digest);
  if (bytes === undefined || (reference.digest !== undefined && reference.digest !== found.listed.digest)) return undefined;
  const listed = { descriptor: { ...found.listed, size: bytes.length }, bytes };
  const repository = lazyRepository(openRegistry, reference, found.place);
  try {
    return await imageFrom(sourceOf(documents), { reference, repository, listed, platform });
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}

function sourceOf(documents: ReadonlyMap<Digest, Buffer>): ImageSource {
  return {
    manifest: async ({ digest }) => documents.get(digest),
    async config({ digest }) {
      const bytes = documents.get(digest);
      if (bytes !== undefined) return bytes;
      throw new NotFoundError(`reading a remembered image: its config ${digest} is missing`);
    },
  };
}

function pathOf(root: string, reference: Reference, platform: Platform): string {
  return join(rememberedFolder(root, reference), hexOf(digestOf(platformText(platform))));
}

/** Undefined when it is missing, or torn by a crash of the machine: it is not flushed. */
function readRemembered(path: string): Remembered | undefined {
  let value: Partial<Remembered> | null;
  try {
    value = JSON.parse(readUsed(path).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error)) return undefined;
    throw error;
  }
  const { place, listed, documents } = value ?? {};
  const isWhole =
    typeof place?.registry === "string" &&
    typeof place.name === "string" &&
    typeof listed?.mediaType === "string" &&
    isDigest(String(listed.digest)) &&
    Array.isArray(documents) &&
    documents.every((text) => typeof text === "string");
  return isWhole ? (value as Remembered) : undefined;
}
