// The public API of the store.
export type { ArchiveForm, SavableImage } from "./archive/archived-image.ts";
export { type ExportedRootfs, type ExportOptions, exportRootfs, type RootfsDestination } from "./archive/export-rootfs.ts";
export { type ImportOptions, importRootfs } from "./archive/import.ts";
export { type LoadOptions, type LoadSource, loadImages } from "./archive/load.ts";
export {
  type SaveDestination,
  type SavedDescriptor,
  type SavedImage,
  type SavedIndex,
  type SaveOptions,
  saveImages,
} from "./archive/save.ts";
export { checkStore } from "./check/check-store.ts";
export type { StoreProblem } from "./check/problem.ts";
export { type LostImage, type RepairOptions, repairStore } from "./check/repair-store.ts";
export type { Digest } from "./digest.ts";
export { IntegrityError, NotFoundError, TsbuildError } from "./errors.ts";
export { type CacheKind, cacheKinds } from "./gc/cache-items.ts";
export { collectGarbage, type Freed, type GarbagePolicy } from "./gc/collect.ts";
export { keepLimits, type StoreLimits } from "./gc/limits.ts";
export { storeUsage, type Usage } from "./gc/usage.ts";
export type { Image, ImageLayer, ImageStore, ImageSummary, NewImage, RawImage } from "./images.ts";
export { type JoinOptions, joinImages } from "./join-images.ts";
export type { LayerForm } from "./layer-form.ts";
export type { ContainerConfig, Descriptor, Healthcheck, HistoryEntry, ImageConfig, Manifest, Platform } from "./oci.ts";
export { type LayerRef, openRootfs } from "./open-rootfs.ts";
export { machinePlatform, platformText } from "./platform.ts";
export type { ListedIndex, NewIndex } from "./put-index.ts";
export { parseReference, type Reference } from "./reference.ts";
export { type Artifact, attachArtifact } from "./registry/attach.ts";
export type { ImageFormat } from "./registry/convert.ts";
export { type CopyOptions, type CopyPlace, copyImage } from "./registry/copy.ts";
export { anonymous, type Credential, type CredentialSource } from "./registry/credential.ts";
export { type DockerConfigOptions, dockerCredentials } from "./registry/docker-config.ts";
export { type LayerFetcher, type LayerFetcherOptions, openLayerFetcher } from "./registry/layer-fetcher.ts";
export { type PulledImage, type PullOptions, pullImage } from "./registry/pull.ts";
export { type PushableImage, type PushOptions, pushImage } from "./registry/push.ts";
export { type PushStoredOptions, pushStored } from "./registry/push-stored.ts";
export { openRegistry, type Registry, type RegistryOptions } from "./registry/registry.ts";
export { type Diagnostic, RegistryError } from "./registry/registry-error.ts";
export type { RemoteManifest, Repository } from "./registry/repository.ts";
export { defaultRegistrySettings, type HostSettings, type RegistrySettings } from "./registry/settings.ts";
export type { TransferEvent, TransferSink } from "./registry/transfer-event.ts";
export { type OpenOptions, openStore, type Store } from "./store.ts";
export { defaultStoreRoot } from "./store-paths.ts";
export { verifyStore } from "./verify.ts";
