import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  describeForm,
  type FoundForm,
  findSandboxForm,
  type IdMap,
  type NamespaceWorker,
  openNamespaceWorker,
  openUserNamespace,
  readAutoMap,
  readIdMap,
  SandboxError,
  type SandboxForm,
} from "../../runtime-addon/index.ts";
import { type DirectoryWork, localDirectoryWork } from "../../store/directory-work.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import type { NoteSink } from "../progress/event.ts";
import { ownersAsWeAre } from "./owners.ts";

/** The rung that holds. */
export interface OpenHost {
  readonly work: DirectoryWork;
  readonly owners: OwnerMode;
  readonly form: SandboxForm;
  /** The process whose user namespace sandboxes join; absent where they are made as we are. */
  readonly userNamespace?: { readonly pid: number; readonly mapped?: string };
  close(): Promise<void>;
}

/**
 * Tries the ways to make a sandbox, best first: an overlay and a copy of the layers, as we are and then in a user namespace. `onNote` hears which
 * holds, where it is not the first. Throws SandboxError NO_SANDBOX with every reason.
 */
export async function climb(store: Store, onNote: NoteSink): Promise<OpenHost> {
  const scratch = await store.temp("probe");
  const direct = await findSandboxForm(scratch);
  if (direct.form !== undefined) {
    const { form } = direct;
    if (direct.refusals.length > 0) onNote(formText(direct.refusals, form, "as we are"));
    return { work: localDirectoryWork(store), owners: ownersAsWeAre(), form, close: async () => {} };
  }
  const map = readIdMap();
  const worker = await openWorker(store, map, direct);
  try {
    const mapped = await findSandboxForm(scratch, { userNamespace: { pid: worker.pid } });
    const { form } = mapped;
    if (form === undefined) throw noSandbox(direct, mapped.refusals);
    const ids =
      map.kind === "ranges"
        ? "with this user's sub-id range"
        : `with one id only (${map.reason}): every file of a RUN layer belongs to root`;
    // That is how it is without root, but for owners that are lost.
    const passing = map.kind === "ranges" && mapped.refusals.length === 0 ? "passing" : undefined;
    onNote(formText(mapped.refusals, form, `in a user namespace, ${ids}`), passing);
    return {
      work: remoteDirectoryWork(worker),
      owners: map.kind === "ranges" ? "exact" : "flat",
      form,
      userNamespace: { pid: worker.pid },
      close: () => worker.close(),
    };
  } catch (error) {
    await worker.close();
    throw error;
  }
}

/**
 * The one way that root asked for: an overlay in a user namespace whose root is nobody on the machine, with the store seen through its ids, so that
 * what is on disk is as without. Throws SandboxError NO_SANDBOX.
 */
export async function openMappedHost(store: Store): Promise<OpenHost> {
  const asked = "making a sandbox in a user namespace of its own (userns auto)";
  const hint = "the store's file system must allow id-mapped mounts, and overlays of them need Linux 5.19; --userns host does without";
  if (process.getuid?.() !== 0 || ownersAsWeAre() !== "exact")
    throw new SandboxError("NO_SANDBOX", `${asked}: only root with all ids can`, { hint: "without root a user namespace is always made" });
  const held = await openUserNamespace(readAutoMap());
  try {
    const userNamespace = { pid: held.pid, mapped: store.root };
    const { form, refusals } = await findSandboxForm(await store.temp("probe"), { userNamespace });
    if (form?.root !== "overlay")
      throw new SandboxError("NO_SANDBOX", `${asked}: ${refusals.map(({ message }) => message).join(", ")}`, { cause: refusals[0], hint });
    return { work: localDirectoryWork(store), owners: "exact", form, userNamespace, close: () => held.close() };
  } catch (error) {
    await held.close();
    throw error;
  }
}

function formText(refusals: FoundForm["refusals"], form: SandboxForm, place: string): string {
  const why = refusals
    .map(({ message, failure }) => (failure === undefined ? message : `${failure.op.slice(2)}: ${failure.errno}`))
    .join(", ");
  return `sandbox: ${describeForm(form, place)}${why === "" ? "" : ` (refused here: ${why})`}`;
}

/** DirectoryWork as the worker's protocol wants it. */
type DirectoryMethods = { [Name in keyof DirectoryWork]: DirectoryWork[Name] };

async function openWorker(store: Store, map: IdMap, direct: FoundForm): Promise<NamespaceWorker<DirectoryMethods>> {
  try {
    return await openNamespaceWorker<DirectoryMethods>({
      map,
      script: workerScript(),
      args: [store.root, JSON.stringify(store.unpackLimits)],
    });
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    throw noSandbox(direct, [error]);
  }
}

function noSandbox(direct: FoundForm, inNamespace: readonly SandboxError[]): SandboxError {
  const list = (refusals: readonly SandboxError[]) => refusals.map(({ message }) => message).join(", ");
  const message = `making a sandbox: as we are: ${list(direct.refusals)}; in a user namespace: ${list(inNamespace)}`;
  const last = inNamespace.at(-1);
  return new SandboxError("NO_SANDBOX", message, { cause: last, hint: last?.hint ?? "see tsbuild info" });
}

/** The same work, done by the process inside the namespace. */
function remoteDirectoryWork(worker: NamespaceWorker<DirectoryMethods>): DirectoryWork {
  return {
    unpack: (request) => worker.request("unpack", request),
    prepare: (request) => worker.request("prepare", request),
    makeCache: (request) => worker.request("makeCache", request),
    copy: (request) => worker.request("copy", request),
    own: (request) => worker.request("own", request),
    pack: (request, options) => worker.request("pack", request, options?.signal),
    packedEntries: (request) => worker.request("packedEntries", request),
    adopt: (request) => worker.request("adopt", request),
    search: (request, options) => worker.request("search", request, options?.signal),
    removeBelow: (request) => worker.request("removeBelow", request),
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
