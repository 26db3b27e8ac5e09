import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type IdMap, type NamespaceWorker, openNamespaceWorker, probeOverlay, readIdMap, SandboxError } from "../../runtime-addon/index.ts";
import { type DirectoryWork, localDirectoryWork } from "../../store/directory-work.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import { ownersAsWeAre } from "./owners.ts";

/** The rung that holds. */
export interface OpenHost {
  readonly work: DirectoryWork;
  readonly owners: OwnerMode;
  /** The process whose user namespace sandboxes join; absent where they are made as we are. */
  readonly userNamespace?: { readonly pid: number };
  close(): Promise<void>;
}

/** Tries the ways to make a sandbox, best first: an overlay as we are, then one in a user namespace. Throws SandboxError NO_SANDBOX. */
export async function climb(store: Store, onNote: (message: string) => void): Promise<OpenHost> {
  const direct = await probeOverlay(await store.temp("probe"));
  if (direct.ok) return { work: localDirectoryWork(store), owners: ownersAsWeAre(), close: async () => {} };
  const map = readIdMap();
  const worker = await openWorker(store, map, direct.detail);
  const rung =
    map.kind === "ranges" ? "with this user's sub-id range" : `with one id only (${map.reason}): every file of a RUN layer belongs to root`;
  onNote(`sandbox: overlay in a user namespace, ${rung}`);
  return {
    work: remoteDirectoryWork(worker),
    owners: map.kind === "ranges" ? "exact" : "flat",
    userNamespace: { pid: worker.pid },
    close: () => worker.close(),
  };
}

/** DirectoryWork as the worker's protocol wants it. */
type DirectoryMethods = { [Name in keyof DirectoryWork]: DirectoryWork[Name] };

async function openWorker(store: Store, map: IdMap, whyNotDirect: string): Promise<NamespaceWorker<DirectoryMethods>> {
  try {
    return await openNamespaceWorker<DirectoryMethods>({ map, script: workerScript(), args: [store.root] });
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    throw new SandboxError("NO_SANDBOX", `making a sandbox: overlay as we are: ${whyNotDirect}; in a user namespace: ${error.message}`, {
      cause: error,
      hint: error.hint ?? "see tsbuild info",
    });
  }
}

/** The same work, done by the process inside the namespace. */
function remoteDirectoryWork(worker: NamespaceWorker<DirectoryMethods>): DirectoryWork {
  return {
    unpack: (request) => worker.request("unpack", request),
    prepare: (request) => worker.request("prepare", request),
    makeCache: (request) => worker.request("makeCache", request),
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
