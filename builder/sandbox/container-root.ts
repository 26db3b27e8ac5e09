import { join } from "node:path";
import type { SandboxRoot } from "../../runtime-addon/index.ts";
import type { MountPoints } from "../../store/layer/copy-rootfs.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import type { OpenHost } from "./ladder.ts";
import { overlayLowers } from "./overlay-lowers.ts";
import { allMountPoints, makeSkeleton } from "./skeleton.ts";

/**
 * Makes in existing directories what a container of these layers (bottom first) stands on: an overlay's parts, its upper in `changes`, with `over` (another overlay's upper) on top of the layers, or a copy. `extra` are empty
 * mount points where the layers have nothing; `onOmitted` hears of device files that cannot be made here.
 */
export async function containerRoot(
  { work, owners, form }: OpenHost,
  { directory, changes, over }: { readonly directory: string; readonly changes: string; readonly over?: string },
  layers: readonly LayerRef[],
  extra: MountPoints,
  onOmitted: (paths: readonly string[]) => void,
): Promise<SandboxRoot> {
  const diffIds = layers.map(({ diffId }) => diffId);
  if (form.root === "copy") {
    const { omitted } = await work.copy({ directory, parents: diffIds, owners, mountPoints: allMountPoints(extra) });
    onOmitted(omitted);
    return { directory: join(directory, "tree") };
  }
  const { directories: lowers, omitted } = await work.unpack({ diffIds, owners });
  onOmitted(omitted);
  await work.prepare({ directory: changes, parents: diffIds, owners });
  const skeleton = join(directory, "skeleton");
  await makeSkeleton(skeleton, extra);
  const all = [...(over === undefined ? [] : [over]), ...overlayLowers(lowers), skeleton];
  return { lowers: all, upper: join(changes, "upper"), work: join(changes, "work") };
}
