import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What these tests read of an image, as plain data; the specification's own field names. */
export interface LayoutImage {
  /** Digest of the config. */
  readonly imageId: string;
  readonly manifest: {
    readonly mediaType: string;
    readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[];
  };
  readonly config: {
    readonly architecture: string;
    readonly os: string;
    readonly created?: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly rootfs: { readonly diff_ids: readonly string[] };
    readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean; readonly created?: string }[];
  };
}

/** Reads an image of an OCI image layout by the specification alone, without any of our store's code. */
export function readLayoutImage(layout: string, name: string): LayoutImage {
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const entry = index.manifests.find(
    (one: { annotations?: Record<string, string> }) => one.annotations?.["org.opencontainers.image.ref.name"] === name,
  );
  if (entry === undefined) throw new Error(`${layout} lists no image ${name}`);
  const manifest = JSON.parse(readFileSync(blobPath(layout, entry.digest), "utf8"));
  return { imageId: manifest.config.digest, manifest, config: JSON.parse(readFileSync(blobPath(layout, manifest.config.digest), "utf8")) };
}

export function blobPath(layout: string, digest: string): string {
  return join(layout, "blobs", ...digest.split(":"));
}

/** Reads every listed image down to its last blob; answers what is missing or has other bytes than its digest says, and the names listed. */
export function checkLayout(layout: string): { readonly names: readonly string[]; readonly damage: readonly string[] } {
  const damage: string[] = [];
  const read = (digest: string): Buffer | undefined => {
    try {
      const bytes = readFileSync(blobPath(layout, digest));
      if (`sha256:${createHash("sha256").update(bytes).digest("hex")}` === digest) return bytes;
      damage.push(`${digest} is damaged`);
    } catch (error) {
      damage.push(String(error));
    }
    return undefined;
  };
  const { manifests } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const readAll = (digest: string): void => {
    const document = read(digest);
    if (document === undefined) return;
    const { config, layers, manifests: listed } = JSON.parse(document.toString());
    if (listed !== undefined) for (const one of listed) readAll(one.digest);
    else for (const blob of [config, ...layers]) read(blob.digest);
  };
  for (const { digest } of manifests) readAll(digest);
  const named = manifests.map((one: { annotations?: Record<string, string> }) => one.annotations?.["org.opencontainers.image.ref.name"]);
  return { names: named.filter((name?: string) => name !== undefined).sort(), damage };
}

/** What running processes, and only they, have in a store. */
export function transientFiles(store: string): string[] {
  return ["leases", "tmp", "trash"].flatMap((folder) => readdirSync(join(store, "v1", folder)).map((name) => `${folder}/${name}`));
}
