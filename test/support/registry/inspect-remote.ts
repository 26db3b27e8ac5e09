import { createHash } from "node:crypto";

/** What a registry has under a name, read by the specification alone, without any of our client's code. */
export interface RemoteContent {
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: {
    readonly config: { readonly digest: string; readonly mediaType: string };
    readonly layers: readonly { readonly digest: string; readonly mediaType: string; readonly size: number }[];
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

const accepted = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** The image manifest of a repository, by tag or digest, at a registry that asks nobody for anything. */
export async function inspectRemote(host: string, repository: string, reference = "latest"): Promise<RemoteContent> {
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, { headers: { accept: accepted } });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`${host} has no ${repository}:${reference}: ${response.status} ${bytes}`);
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    mediaType: response.headers.get("content-type") ?? "",
    manifest: JSON.parse(bytes.toString()),
  };
}
