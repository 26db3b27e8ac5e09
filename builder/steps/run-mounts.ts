import { bytesOf } from "../../runtime-addon/index.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { RunMount } from "../plan/operation.ts";
import type { ContainerMount } from "../sandbox/container-mounts.ts";
import type { HeldCaches } from "./cache-mounts.ts";
import type { RunInputs } from "./run-inputs.ts";
import type { StepAgents } from "./step-agents.ts";
import type { StepSecrets } from "./step-secrets.ts";

export interface MountSources {
  readonly inputs: RunInputs;
  /** What the step stands on. */
  readonly rootfs: Rootfs;
  readonly caches: HeldCaches;
  readonly secrets: Pick<StepSecrets, "of">;
  readonly agents: Pick<StepAgents, "of">;
}

/** The mounts of a RUN in the order in which they are made: what is above others first, and of equal targets only the last, as in BuildKit. */
export async function containerMounts(mounts: readonly RunMount[], sources: MountSources): Promise<readonly ContainerMount[]> {
  const made = new Map<string, ContainerMount>();
  for (const mount of mounts) {
    const one = await containerMount(mount, sources);
    if (one !== undefined) made.set(one.target, one);
  }
  return [...made.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** Undefined where nothing is mounted: of a secret that is a variable only, of a secret or an agent that nobody gave. */
async function containerMount(
  mount: RunMount,
  { inputs, rootfs, caches, secrets, agents }: MountSources,
): Promise<ContainerMount | undefined> {
  switch (mount.type) {
    case "bind":
      return { kind: "layers", ...(await inputs.bind(mount).open()), target: mount.target, readOnly: mount.readOnly };
    case "cache":
      return { kind: "host", source: caches.directory(mount), target: mount.target, readOnly: mount.readOnly, isFile: false };
    case "secret": {
      const { target, mode, uid, gid } = mount;
      const secret = secrets.of(mount);
      return target === undefined || secret === undefined ? undefined : { kind: "content", target, content: secret.bytes, mode, uid, gid };
    }
    case "tmpfs": {
      const { target, sizeBytes } = mount;
      // A directory that is covered gives its mode, as in runc.
      const { entry } = rootfs.resolve(bytesOf(target), { followLast: true });
      const mode = entry?.kind === "directory" ? { mode: entry.mode } : {};
      return { kind: "tmpfs", target, ...(sizeBytes === undefined ? {} : { sizeBytes }), ...mode };
    }
    case "ssh": {
      const socket = agents.of(mount);
      return socket === undefined ? undefined : { kind: "host", source: socket, target: mount.target, readOnly: false, isFile: true };
    }
  }
}
