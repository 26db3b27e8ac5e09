import type { Bytes } from "../blobs.ts";
import type { Digest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";

/** A manifest or index as it was sent: its bytes are its identity. */
export interface RemoteManifest {
  /** Media type as the registry says it and the bytes agree, digest of the bytes, their length. */
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface DownloadOptions extends Abortable {
  /** Hears how many bytes have come, at most some ten times a second, and at the end. */
  readonly onProgress?: (doneBytes: number) => void;
  /** Hears why a try is repeated. */
  readonly onRetry?: (message: string) => void;
}

export interface UploadOptions extends DownloadOptions {
  /** Other repositories of the same registry that may have the blob, likeliest first: it is mounted from there. */
  readonly mountFrom?: readonly string[];
}

export interface ManifestOptions extends Abortable {
  /** False: the registry itself is asked, as a mirror's tags may be old. Absent: mirrors come first. */
  readonly mirrors?: boolean;
}

/** Content to be sent, from any offset on, as often as it is asked for. */
export interface UploadContent {
  open(offset: number, options?: Abortable): Bytes;
}

/**
 * One repository of one registry, mirrors included for reading (distribution spec v1.1). Every call authorises itself, follows redirects without taking
 * credentials to other hosts, and repeats what failed for a passing reason. Throws RegistryError, IntegrityError, and `signal.reason`.
 */
export interface Repository {
  /** "docker.io", as the reference named it, after rewriting. */
  readonly registry: string;
  readonly name: string;
  /** By tag or digest. Checked: bytes against the digest asked for, and against Docker-Content-Digest where it is sent. Undefined when the registry has none. */
  manifest(reference: string, options?: ManifestOptions): Promise<RemoteManifest | undefined>;
  /** What a tag means now, without its bytes where the registry answers HEAD with a digest (some do not: then they are fetched). */
  resolve(reference: string, options?: Abortable): Promise<Descriptor | undefined>;
  /** Under its digest, and under each tag. True in `subject` when the registry took note of the manifest's subject (OCI-Subject). */
  putManifest(mediaType: string, bytes: Buffer, tags: readonly string[], options?: Abortable): Promise<{ readonly subject: boolean }>;
  deleteManifest(digest: Digest, options?: Abortable): Promise<void>;
  hasBlob(target: Descriptor, options?: Abortable): Promise<boolean>;
  /** Exactly the blob, resumed where a connection breaks, its length and digest checked; IntegrityError at the latest before its end. */
  download(target: Descriptor, options?: DownloadOptions): Bytes;
  /** Makes sure that the repository has the blob, moving as little as possible. */
  upload(target: Descriptor, content: UploadContent, options?: UploadOptions): Promise<"present" | "mounted" | "uploaded">;
  /** All tags, page by page, in the registry's order. */
  tags(options?: Abortable): AsyncIterable<readonly string[]>;
  /** Manifests whose subject this is: by the referrers API, else by the tag schema. */
  referrers(subject: Digest, options?: Abortable & { readonly artifactType?: string }): Promise<readonly Descriptor[]>;
}
