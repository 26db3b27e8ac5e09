import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { checkIsImage, type ImageLayer, imageOf } from "../images.ts";
import type { Descriptor, ImageConfig, Manifest, Platform } from "../oci.ts";
import { isIndexType, isLayerType, parseIndex, parseManifest } from "../oci-parse.ts";
import { platformText } from "../platform.ts";
import { chooseOffer, offersOf, offersText } from "../platform-offers.ts";
import { fullName, type Reference } from "../reference.ts";
import { checkBytes } from "../verified.ts";
import { readConfig } from "./read-config.ts";
import type { Registry } from "./registry.ts";
import { RegistryError } from "./registry-error.ts";
import type { RemoteManifest, Repository } from "./repository.ts";
import type { TransferSink } from "./transfer-event.ts";
import { reportTransfer } from "./transfer-report.ts";

/** An image of a registry for one platform: its manifest and config are here, its layers may still be there alone. Raw bytes are the identity. */
export interface RemoteImage {
  /** As it was asked for. */
  readonly reference: Reference;
  readonly platform: Platform;
  readonly repository: Repository;
  /** What the reference names: the manifest itself, or the index that lists it. */
  readonly listed: RemoteManifest;
  /** Every index that was read on the way to the manifest, the listed one first; none where a manifest is listed. */
  readonly indexes: readonly RemoteManifest[];
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly rawManifest: Buffer;
  readonly config: ImageConfig;
  readonly rawConfig: Buffer;
  /** Bottom first. */
  readonly layers: readonly ImageLayer[];
}

export interface ResolveOptions extends Abortable {
  /** What the reference meant before: taken where the registry says that it still does, which costs one small request. */
  readonly known?: RemoteImage | undefined;
  readonly onEvent?: TransferSink | undefined;
}

/**
 * Fetches manifest and config, and no layer. Of an index the image of `platform` is taken; a manifest that is named itself is taken whatever it is for, as its config says.
 * Undefined when the registry has no such reference. Throws PLATFORM_NOT_FOUND, NOT_AN_IMAGE, UNSUPPORTED_LAYER, INVALID_DOCUMENT, TOO_LARGE, IntegrityError, RegistryError, and
 * `signal.reason`.
 */
export async function resolveRemote(
  registry: Registry,
  reference: Reference,
  platform: Platform,
  options: ResolveOptions = {},
): Promise<RemoteImage | undefined> {
  const repository = registry.repository(reference);
  const { known, signal } = options;
  const abortable = { signal };
  if (known !== undefined && (await currentDigest(repository, reference, abortable)) === known.listed.descriptor.digest) return known;
  const listed = await repository.manifest(versionOf(reference), abortable);
  if (listed === undefined) return undefined;
  const source: ImageSource = {
    manifest: async (descriptor) => (await repository.manifest(descriptor.digest, abortable))?.bytes,
    config: (descriptor) => fetchConfig(repository, descriptor, options),
  };
  return imageFrom(source, { reference, platform, repository, listed });
}

/** What comes after the repository in the distribution API: the digest, where one is given, else the tag. */
function versionOf({ digest, tag = "latest" }: Reference): string {
  return digest ?? tag;
}

/** What a reference means now; a digest means itself. Undefined when the registry has none. */
export async function currentDigest(repository: Repository, reference: Reference, options: Abortable): Promise<Digest | undefined> {
  return reference.digest ?? (await repository.resolve(versionOf(reference), options))?.digest;
}

/** Where an image's small documents come from, checked against their digests. Undefined: not there. */
export interface ImageSource {
  manifest(descriptor: Descriptor): Promise<Buffer | undefined>;
  config(descriptor: Descriptor): Promise<Buffer>;
}

/** Reads an image from what its reference names down to the config. Throws as resolveRemote. */
export async function imageFrom(
  source: ImageSource,
  { reference, platform, repository, listed }: Pick<RemoteImage, "reference" | "platform" | "repository" | "listed">,
): Promise<RemoteImage> {
  const doing = `reading image ${fullName(reference)}`;
  const indexes: RemoteManifest[] = [];
  const bytesOf = async (descriptor: Descriptor): Promise<Buffer> => {
    const bytes = descriptor.digest === listed.descriptor.digest ? listed.bytes : await source.manifest(descriptor);
    if (bytes !== undefined) {
      // Its digest alone does not tell that what lists it says the truth about its length, which others will go by.
      checkBytes(bytes, descriptor, `${doing}: manifest ${descriptor.digest}`);
      return bytes;
    }
    throw new RegistryError("REGISTRY_NOT_FOUND", `${doing}: its index lists ${descriptor.digest}, which the registry does not have`);
  };
  const offers = await offersOf(listed.descriptor, async (descriptor) => {
    const bytes = await bytesOf(descriptor);
    indexes.push({ descriptor, bytes });
    return parseIndex(bytes, descriptor.digest);
  });
  const descriptor = isIndexType(listed.descriptor.mediaType) ? chooseOffer(offers, platform) : listed.descriptor;
  if (descriptor === undefined)
    throw new TsbuildError("PLATFORM_NOT_FOUND", `${doing}: it has ${offersText(offers)}, not ${platformText(platform)}`);
  const rawManifest = await bytesOf(descriptor);
  const manifest = parseManifest(rawManifest, descriptor.digest);
  checkIsImage(manifest, doing);
  for (const layer of manifest.layers) checkIsLayer(layer, doing);
  const rawConfig = await source.config(manifest.config);
  const { imageId: _, ...image } = imageOf(descriptor, rawManifest, rawConfig);
  return { reference, platform, repository, listed, indexes, ...image };
}

/** Throws UNSUPPORTED_LAYER for what is no tar: in-toto statements, encrypted layers. `doing` begins the message. */
export function checkIsLayer({ digest, mediaType }: Descriptor, doing: string): void {
  if (isLayerType(mediaType)) return;
  throw new TsbuildError("UNSUPPORTED_LAYER", `${doing}: layer ${digest} is of type ${mediaType}, which is no tar of files`);
}

async function fetchConfig(repository: Repository, descriptor: Descriptor, { signal, onEvent }: ResolveOptions): Promise<Buffer> {
  const report = reportTransfer(onEvent, "pull", "config", descriptor, repository);
  try {
    const bytes = await readConfig(descriptor, () => repository.download(descriptor, { signal, onRetry: report.retry }));
    report.end("done");
    return bytes;
  } catch (error) {
    report.failed(error);
    throw error;
  }
}
