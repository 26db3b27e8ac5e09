import { readIdMap } from "../../runtime-addon/index.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import type { UserNamespaceMode } from "../options.ts";
import type { OpenHost } from "./ladder.ts";
import { ownersAsWeAre } from "./owners.ts";

/** Where layers are unpacked and sandboxes are made: found when a step first must run, since a cached build needs neither. */
export interface Host {
  /** The owners that a step would have, told without trying anything. */
  expectedOwners(): OwnerMode;
  /** Climbs the ladder once. Throws SandboxError when no rung holds. */
  open(): Promise<OpenHost>;
  close(): Promise<void>;
}

/** `onNote` hears which rung holds, where it is not the first. `userns` is what RunOptions and BuildOptions say of it. */
export function openHost(store: Store, onNote: (message: string) => void, userns: UserNamespaceMode = "host"): Host {
  let opened: Promise<OpenHost> | undefined;
  return {
    expectedOwners: () => (isRoot() ? ownersAsWeAre() : readIdMap().kind === "ranges" ? "exact" : "flat"),
    open() {
      // Loaded now: a cached build has no use for any of it.
      opened ??= import("./ladder.ts").then(({ climb, openMappedHost }) =>
        userns === "auto" && isRoot() ? openMappedHost(store) : climb(store, onNote),
      );
      return opened;
    },
    async close() {
      // A climb under way ends first, so that no worker is left behind.
      const host = await opened?.catch(() => undefined);
      await host?.close();
    },
  };
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
