import { bytesOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { RunMount, RunOperation } from "../plan/operation.ts";
import type { ContainerMount } from "../sandbox/container-mounts.ts";
import type { HeldCaches } from "./cache-mounts.ts";
import type { RunInputs } from "./run-inputs.ts";

const supported: ReadonlySet<RunMount["type"]> = new Set(["bind", "cache", "tmpfs"]);

/** The flag of a RUN that can be planned but not yet be run, if it has one. */
export function unsupportedFlag({ mounts }: RunOperation): string | undefined {
  const mount = mounts.find(({ type }) => !supported.has(type));
  return mount === undefined ? undefined : `--mount=type=${mount.type}`;
}

/** Throws UNSUPPORTED_FEATURE for what can be planned but not yet be run. */
export function refuseUnsupported(operation: RunOperation): void {
  const flag = unsupportedFlag(operation);
  if (flag !== undefined) throw unsupported(flag);
}

function unsupported(what: string): TsbuildError {
  return new TsbuildError("UNSUPPORTED_FEATURE", `planning the build: RUN ${what} is not supported by this version`);
}

export interface MountSources {
  readonly inputs: RunInputs;
  /** What the step stands on. */
  readonly rootfs: Rootfs;
  readonly caches: HeldCaches;
}

/** The mounts of a RUN in the order in which they are made: what is above others first, and of equal targets only the last, as in BuildKit. */
export async function containerMounts(mounts: readonly RunMount[], sources: MountSources): Promise<readonly ContainerMount[]> {
  const made = new Map<string, ContainerMount>();
  for (const mount of mounts) {
    const one = await containerMount(mount, sources);
    made.set(one.target, one);
  }
  return [...made.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

async function containerMount(mount: RunMount, { inputs, rootfs, caches }: MountSources): Promise<ContainerMount> {
  switch (mount.type) {
    case "bind":
      return { kind: "layers", ...(await inputs.bind(mount).open()), target: mount.target, readOnly: mount.readOnly };
    case "cache":
      return { kind: "host", source: caches.directory(mount), target: mount.target, readOnly: mount.readOnly, isFile: false };
    case "tmpfs": {
      const { target, sizeBytes } = mount;
      // A directory that is covered gives its mode, as in runc.
      const { entry } = rootfs.resolve(bytesOf(target), { followLast: true });
      const mode = entry?.kind === "directory" ? { mode: entry.mode } : {};
      return { kind: "tmpfs", target, ...(sizeBytes === undefined ? {} : { sizeBytes }), ...mode };
    }
    default:
      throw unsupported(`--mount=type=${mount.type}`);
  }
}
