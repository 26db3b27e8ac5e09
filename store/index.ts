// The public API of the store.
export { type ImportOptions, importRootfs } from "./archive/import.ts";
export { type LoadOptions, type LoadSource, loadImages } from "./archive/load.ts";
export { type SaveDestination, type SavedImage, saveImages } from "./archive/save.ts";
export type { Digest } from "./digest.ts";
export { IntegrityError, NotFoundError, TsbuildError } from "./errors.ts";
export type { Image, ImageLayer, ImageStore, ImageSummary, NewImage, RawImage } from "./images.ts";
export type { ContainerConfig, Descriptor, Healthcheck, HistoryEntry, ImageConfig, Manifest, Platform } from "./oci.ts";
export { type LayerRef, openRootfs } from "./open-rootfs.ts";
export { machinePlatform, platformText } from "./platform.ts";
export { openStore, type Store } from "./store.ts";
export { defaultStoreRoot } from "./store-paths.ts";
export { verifyStore } from "./verify.ts";
