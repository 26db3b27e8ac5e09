import { join } from "node:path";
import type { ContentMount, Mount, TmpfsMount } from "../../runtime-addon/index.ts";
import { makeDirectories } from "../../store/make-directories.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import type { OpenHost } from "./ladder.ts";
import { overlayLowers } from "./overlay-lowers.ts";

/** What a container has mounted besides its root, by absolute target; symlinks in targets stay inside the root. */
export type ContainerMount =
  /** A file or directory of the host. */
  | {
      readonly kind: "host";
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly isFile: boolean;
      readonly recursive?: boolean;
    }
  /** A path in a stack of layers. What is written to one that is not read-only is lost with the container. */
  | {
      readonly kind: "layers";
      /** Bottom first. */
      readonly layers: readonly LayerRef[];
      /** Absolute in the layers. */
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly isFile: boolean;
    }
  | ContentMount
  | TmpfsMount;

type LayersMount = Extract<ContainerMount, { kind: "layers" }>;

export function isFileMount(mount: ContainerMount): boolean {
  return mount.kind === "content" || (mount.kind !== "tmpfs" && mount.isFile);
}

/**
 * The mounts as the sandbox makes them, in the same order; layers are unpacked, or where no overlay can be mounted copied. What they need on disk is made in `directory`, for whoever removes that to
 * remove. `onOmitted` hears of device files that cannot be made here.
 */
export async function sandboxMounts(
  mounts: readonly ContainerMount[],
  { work, owners, form }: OpenHost,
  directory: string,
  onOmitted: (paths: readonly string[]) => void,
): Promise<readonly Mount[]> {
  const made: Mount[] = [];
  for (const [i, mount] of mounts.entries()) {
    if (mount.kind === "layers") made.push(await (form.root === "copy" ? copiedMount : layersMount)(mount, join(directory, `mount-${i}`)));
    else if (mount.kind === "tmpfs") made.push(mount);
    // Where there is one id, everything is its.
    else if (mount.kind === "content") made.push(owners === "flat" ? { ...mount, uid: 0, gid: 0 } : mount);
    else {
      const { source, target, readOnly, recursive = true } = mount;
      made.push({ kind: "bind", source, target, readOnly, recursive });
    }
  }
  return made;

  async function copiedMount({ layers, source, target, readOnly }: LayersMount, scratch: string): Promise<Mount> {
    makeDirectories(scratch);
    const copied = await work.copy({ directory: scratch, parents: layers.map(({ diffId }) => diffId), owners, only: source });
    onOmitted(copied.omitted);
    return { kind: "bind", source: copied.source, target, readOnly };
  }

  async function layersMount({ layers, source, target, readOnly }: LayersMount, scratch: string): Promise<Mount> {
    const diffIds = layers.map(({ diffId }) => diffId);
    const unpacked = await work.unpack({ diffIds, owners });
    onOmitted(unpacked.omitted);
    const bottom = join(scratch, "bottom");
    makeDirectories(bottom, 0o755);
    await work.prepare({ directory: scratch, parents: diffIds, owners });
    const upper = join(scratch, "upper");
    // Read-only, the upper is there for the attributes that the layers give to the root directory; no layers at all leave the bottom.
    const lowers = [...(readOnly ? [upper] : []), ...overlayLowers(unpacked.directories), bottom];
    return { kind: "overlay", lowers, ...(readOnly ? {} : { changes: { upper, work: join(scratch, "work") } }), source, target };
  }
}
