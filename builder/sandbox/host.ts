import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type NamespaceWorker, openNamespaceWorker, probeOverlay, readIdMap, SandboxError } from "../../runtime-addon/index.ts";
import { type DirectoryWork, localDirectoryWork } from "../../store/directory-work.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import type { EventSink } from "../progress/event.ts";

/** Where layers are unpacked and sandboxes are made: found when a step first must run, since a cached build needs neither. */
export interface Host {
  /** The owners that a step would have, told without trying anything. */
  expectedOwners(): OwnerMode;
  /** Climbs the ladder once. Throws SandboxError when no rung holds. */
  open(): Promise<OpenHost>;
  close(): Promise<void>;
}

/** The rung that holds. */
export interface OpenHost {
  readonly work: DirectoryWork;
  readonly owners: OwnerMode;
  /** The process whose user namespace sandboxes join; absent where they are made as we are. */
  readonly userNamespace?: { readonly pid: number };
}

export function openHost(store: Store, onEvent: EventSink): Host {
  let worker: NamespaceWorker<DirectoryMethods> | undefined;
  let opened: Promise<OpenHost> | undefined;

  async function climb(): Promise<OpenHost> {
    const direct = await probeOverlay(await store.temp("probe"));
    if (direct.ok) return { work: localDirectoryWork(store), owners: "exact" };
    const map = readIdMap();
    try {
      worker = await openNamespaceWorker<DirectoryMethods>({ map, script: workerScript(), args: [store.root] });
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      throw new SandboxError("NO_SANDBOX", `making a sandbox: overlay as we are: ${direct.detail}; in a user namespace: ${error.message}`, {
        cause: error,
        hint: error.hint ?? "see tsbuild info",
      });
    }
    const rung =
      map.kind === "ranges"
        ? "with this user's sub-id range"
        : `with one id only (${map.reason}): every file of a RUN layer belongs to root`;
    onEvent({ type: "note", message: `sandbox: overlay in a user namespace, ${rung}` });
    return { work: remoteDirectoryWork(worker), owners: map.kind === "ranges" ? "exact" : "flat", userNamespace: { pid: worker.pid } };
  }

  return {
    expectedOwners: () => (process.getuid?.() === 0 ? "exact" : readIdMap().kind === "ranges" ? "exact" : "flat"),
    open() {
      opened ??= climb();
      return opened;
    },
    async close() {
      // A climb under way ends first, so that no worker is left behind.
      await opened?.catch(() => undefined);
      await worker?.close();
    },
  };
}

/** DirectoryWork as the worker's protocol wants it. */
type DirectoryMethods = { [Name in keyof DirectoryWork]: DirectoryWork[Name] };

/** The same work, done by the process inside the namespace. */
function remoteDirectoryWork(worker: NamespaceWorker<DirectoryMethods>): DirectoryWork {
  return {
    unpack: (request) => worker.request("unpack", request),
    prepare: (request) => worker.request("prepare", request),
    pack: (request) => worker.request("pack", request),
    adopt: (request) => worker.request("adopt", request),
    remove: (request) => worker.request("remove", request),
  };
}

/** The bundled worker: beside the bundle that this is part of, or in dist/ when running from sources. */
function workerScript(): string {
  for (const place of ["./worker.js", "../../dist/worker.js"]) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new SandboxError("WORKER_MISSING", "starting the namespace worker: dist/worker.js is missing", { hint: "npm run build" });
}
