import { readIdMap } from "../../runtime-addon/index.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import type { UserNamespaceMode } from "../options.ts";
import type { NoteSink } from "../progress/event.ts";
import type { ContainerNetworks } from "./container-networks.ts";
import type { OpenHost } from "./ladder.ts";
import { ownersAsWeAre } from "./owners.ts";

/** Where layers are unpacked and sandboxes are made: found when a step first must run, since a cached build needs neither. */
export interface Host {
  /** The owners that a step would have, told without trying anything. */
  expectedOwners(): OwnerMode;
  /** Climbs the ladder once. Throws SandboxError when no rung holds. */
  open(): Promise<OpenHost>;
  /** Those of the containers that are made here. Throws as open does. */
  networks(): Promise<ContainerNetworks>;
  close(): Promise<void>;
}

/** `onNote` hears which rung holds, where it is not the first. `userns` is what RunOptions and BuildOptions say of it. */
export function openHost(store: Store, onNote: NoteSink, userns: UserNamespaceMode = "host"): Host {
  let opened: Promise<OpenHost> | undefined;
  let networks: Promise<ContainerNetworks> | undefined;
  const open = (): Promise<OpenHost> => {
    // Loaded now: a cached build has no use for any of it.
    opened ??= import("./ladder.ts").then(({ climb, openMappedHost }) =>
      userns === "auto" && isRoot() ? openMappedHost(store) : climb(store, onNote),
    );
    return opened;
  };
  return {
    expectedOwners: () => (isRoot() ? ownersAsWeAre() : readIdMap().kind === "ranges" ? "exact" : "flat"),
    open,
    networks() {
      networks ??= open().then(async ({ userNamespace }) => {
        const { containerNetworks } = await import("./container-networks.ts");
        return containerNetworks({ store, ...(userNamespace === undefined ? {} : { userNamespace }) });
      });
      return networks;
    },
    async close() {
      try {
        // They belong to the user namespace that the host may have made.
        await (await networks?.catch(() => undefined))?.close();
      } finally {
        // A climb under way ends first, so that no worker is left behind.
        const host = await opened?.catch(() => undefined);
        await host?.close();
      }
    },
  };
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
