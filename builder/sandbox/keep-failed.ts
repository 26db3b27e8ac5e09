import type { Digest } from "../../store/digest.ts";
import { keepFailedStep } from "../../store/failed-steps.ts";
import { emptyTrash } from "../../store/gc/trash.ts";
import type { Store } from "../../store/store.ts";
import { storePaths } from "../../store/store-paths.ts";
import type { RunMount, RunOperation } from "../plan/operation.ts";
import type { ContainerSpec, FinishedContainer } from "./container.ts";
import type { ContainerMount } from "./container-mounts.ts";

/** A container as it is kept for a look into it: what is named here, so that nothing else of it, a secret say, is ever written down. */
export type KeptSpec = Pick<
  ContainerSpec,
  | "layers"
  | "env"
  | "cwd"
  | "identity"
  | "network"
  | "hostname"
  | "hosts"
  | "hostCa"
  | "limits"
  | "security"
  | "shmSizeBytes"
  | "mounts"
  | "documents"
> & {
  /** What others must give again: no value of theirs is kept. */
  readonly given: readonly RunMount[];
  /** How the caches among its mounts are shared. */
  readonly caches: readonly KeptCache[];
};

export type KeptCache = Pick<Extract<RunMount, { type: "cache" }>, "id" | "target" | "sharing">;

/**
 * Keeps what a failed command left, with the container that it ran in. The variables are the step's own: those that the caller adds may hold passwords. Of its mounts those stay that are
 * the store's: layers, caches and memory.
 */
export async function keepFailed(
  store: Store,
  { host, directory }: Pick<FinishedContainer, "host" | "directory">,
  spec: ContainerSpec,
  { env, mounts: requested }: Pick<RunOperation, "env" | "mounts">,
  place: { readonly title: string; readonly build: Digest },
): Promise<void> {
  const { layers: below, cwd, identity, network, hostname, hosts, hostCa, limits, security, shmSizeBytes, documents } = spec;
  const mounts = spec.mounts.filter((mount) => isOfStore(mount, store.root));
  const mounted = mounts.flatMap((mount) => (mount.kind === "layers" ? mount.layers : []));
  const layers = [...below, ...mounted].map(({ diffId, blob }) => ({ diffId, blob }));
  const container: KeptSpec = {
    ...{ layers: below, env, cwd, identity, network, hostname, hosts, hostCa, limits, mounts, documents },
    given: requested.filter(({ type }) => type === "secret" || type === "ssh"),
    caches: requested.flatMap((mount) => (mount.type === "cache" ? [{ id: mount.id, target: mount.target, sharing: mount.sharing }] : [])),
    ...(security === undefined ? {} : { security }),
    ...(shmSizeBytes === undefined ? {} : { shmSizeBytes }),
  };
  await keepFailedStep(store.root, directory, { ...place, layers, container });
  await emptyTrash(store.root, (path) => host.work.remove({ path }));
}

function isOfStore(mount: ContainerMount, root: string): boolean {
  if (mount.kind === "host") return mount.source.startsWith(`${storePaths.cacheMounts(root)}/`);
  return mount.kind === "layers" || mount.kind === "tmpfs";
}
