import { openCgroup } from "./cgroup.ts";
import { cgroupMounts } from "./cgroup-mounts.ts";
import { type IdMap, planIdMap, readIdMapInputs } from "./id-map.ts";
import { namespaceRemedy } from "./namespace-switches.ts";
import { findPasta } from "./pasta.ts";
import type { ResourceLimits } from "./resource-limits.ts";
import { SandboxError } from "./sandbox-error.ts";
import { describeForm, type FoundForm, findSandboxForm } from "./sandbox-form.ts";
import { type NetworkOptions, openNetwork } from "./sandbox-network.ts";
import { openUserNamespace, tryUserNamespace } from "./user-namespace.ts";

/** Whether something works here, found out by trying. */
export interface Probe {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or why not, in a sentence. */
  readonly detail: string;
  readonly remedy?: string;
  /** False where it does not matter that this does not work: something else does what it would be for. Absent otherwise. */
  readonly needed?: false;
}

/**
 * What this machine allows, each thing found out by doing it, in and below `directory` (where the store is). Leaves nothing behind.
 */
export async function probeHost(directory: string): Promise<Probe[]> {
  const inputs = readIdMapInputs();
  const map = planIdMap(inputs);
  const direct = await findSandboxForm(directory);
  const mapped = await findFormInNamespace(directory, map);
  const overlay = overlayProbe("overlay", direct, directory);
  const inNamespace = overlayProbe("overlay in a user namespace", mapped, directory);
  const needs = (probe: Probe, isNeeded: boolean): Probe => (probe.ok || isNeeded ? probe : notNeeded(probe));
  // Where sandboxes can be made as we are, none is made in a user namespace; that one works is enough.
  const namespaces = [
    await probeUserNamespaces(map),
    probeSubIds(map, inputs.user ?? String(inputs.uid)),
    inputs.writers === undefined
      ? {
          name: "newuidmap",
          ok: false,
          detail: "not installed",
          remedy: "install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)",
        }
      : { name: "newuidmap", ok: true, detail: inputs.writers.newuidmap },
  ];
  return [
    sandboxProbe(direct, mapped),
    ...namespaces.map((probe) => needs(probe, !overlay.ok)),
    needs(overlay, !inNamespace.ok),
    needs(inNamespace, !overlay.ok),
    scopeProbe(direct.form === undefined ? mapped : direct),
    await probeCgroups(),
    await probePasta(direct.form === undefined ? map : undefined),
  ];
}

function notNeeded({ remedy: _, ...probe }: Probe): Probe {
  return { ...probe, needed: false };
}

async function probeUserNamespaces(map: IdMap): Promise<Probe> {
  const name = "user namespaces";
  try {
    await tryUserNamespace(map);
    return { name, ok: true, detail: map.kind === "ranges" ? "work, with sub-ids" : "work, with a single id" };
  } catch (error) {
    const refused = refusal(name, error);
    const remedy = namespaceRemedy() ?? refused.remedy;
    return { ...refused, ...(remedy !== undefined && { remedy }) };
  }
}

function probeSubIds(map: IdMap, user: string): Probe {
  const name = "sub-ids";
  if (map.kind === "ranges" && map.writers === undefined) return { name, ok: true, detail: `${user} has all ids that there are` };
  if (map.kind === "ranges") {
    const ranges = map.uid.slice(1).map(({ outside, count }) => `${outside}–${outside + count - 1}`);
    return { name, ok: true, detail: `${user} has ${ranges.join(", ")}` };
  }
  const remedy = subIdRemedy(map.reason, user);
  return { name, ok: false, detail: map.reason, ...(remedy !== undefined && { remedy }) };
}

/** Of the reasons that planIdMap gives. */
function subIdRemedy(reason: string, user: string): string | undefined {
  if (reason.includes("/etc/sub")) return `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`;
  return reason.includes("(package uidmap)") ? "apt-get install uidmap" : undefined;
}

async function findFormInNamespace(directory: string, map: IdMap): Promise<FoundForm> {
  try {
    const worker = await openUserNamespace(map);
    try {
      return await findSandboxForm(directory, { userNamespace: { pid: worker.pid } });
    } finally {
      await worker.close();
    }
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { skipped: [], refusals: [error] };
  }
}

function overlayProbe(name: string, { form, refusals }: FoundForm, directory: string): Probe {
  const [refused] = refusals;
  return form?.root === "overlay" || refused === undefined ? { name, ok: true, detail: `works in ${directory}` } : refusal(name, refused);
}

/** The rung that holds: what steps will run in. */
function sandboxProbe(direct: FoundForm, inNamespace: FoundForm): Probe {
  const name = "sandbox";
  if (direct.form !== undefined) return { name, ok: true, detail: describeForm(direct.form, "as we are") };
  if (inNamespace.form !== undefined) return { name, ok: true, detail: describeForm(inNamespace.form, "in a user namespace") };
  const detail = [direct, inNamespace].map(({ refusals }) => refusals.at(-1)?.message).join("; in a user namespace: ");
  const remedy = inNamespace.refusals.at(-1)?.hint;
  return { name, ok: false, detail, ...(remedy !== undefined && { remedy }) };
}

/** What a command with the host's network shares with it besides. */
function scopeProbe({ form, skipped }: FoundForm): Probe {
  const name = "abstract sockets";
  const refused = skipped.find(({ failure }) => failure?.op === "--scope");
  if (form !== undefined && refused === undefined)
    return { name, ok: true, detail: "those of the host are out of reach with its network, too" };
  return {
    name,
    ok: false,
    detail: form === undefined ? "no sandbox can be made" : "with the host's network, those of the host can be reached",
    remedy: "Linux 6.12 or newer with Landlock among its security modules (lsm=landlock,…); or a network of its own, or none",
  };
}

const LIMITS: Readonly<Record<string, ResourceLimits>> = {
  memory: { memoryBytes: 2 ** 30 },
  cpu: { cpus: 1 },
  cpuset: { cpusetCpus: "0" },
  pids: { pids: 1000 },
};

async function probeCgroups(): Promise<Probe> {
  const versions = [...new Set(cgroupMounts().map(({ version }) => `v${version}`))].sort().join(" and ");
  const name = versions === "" ? "cgroups" : `cgroups ${versions}`;
  const works: string[] = [];
  const refusals: SandboxError[] = [];
  for (const [controller, limits] of Object.entries(LIMITS)) {
    try {
      await (await openCgroup(limits)).group?.close();
      works.push(controller);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      refusals.push(error);
    }
  }
  const [first] = refusals;
  if (first === undefined) return { name, ok: true, detail: `limits of ${works.join(", ")} can be set` };
  const detail = `${works.length === 0 ? "no limits can be set" : `only limits of ${works.join(", ")} can be set`}: ${first.message}`;
  return { name, ok: works.length > 0, detail, ...(first.hint !== undefined && { remedy: first.hint }) };
}

const pastaPurpose = "for networks apart from the host's";

/** `map`: that of the user namespace that sandboxes are made in; absent where they are made as we are. */
async function probePasta(map: IdMap | undefined): Promise<Probe> {
  const name = "pasta";
  const program = findPasta();
  if (program === undefined) {
    return {
      name,
      ok: false,
      detail: `not installed; ${pastaPurpose}`,
      remedy: "install the package passt (Debian 12, Ubuntu 23.04, Fedora)",
    };
  }
  try {
    const held = map === undefined ? undefined : await openUserNamespace(map);
    try {
      const lacking = await tryNetworks({ program, ...(held !== undefined && { userNamespace: { pid: held.pid } }) });
      const detail = `${program}; ${pastaPurpose}`;
      if (lacking === undefined) return { name, ok: true, detail };
      const but = `${detail}, but crafted packets reach this machine's loopback from them: ${lacking.message}`;
      return { name, ok: true, detail: but, ...(lacking.hint !== undefined && { remedy: lacking.hint }) };
    } finally {
      await held?.close();
    }
  } catch (error) {
    return refusal(name, error);
  }
}

/** Resolves with why networks can only be direct, where they can. */
async function tryNetworks(options: NetworkOptions): Promise<SandboxError | undefined> {
  try {
    await (await openNetwork(options)).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof SandboxError && error.failure?.op === "--routed")) throw error;
    await (await openNetwork({ ...options, direct: true })).close();
    return error;
  }
}

function refusal(name: string, error: unknown): Probe {
  if (!(error instanceof SandboxError)) throw error;
  return { name, ok: false, detail: error.message, ...(error.hint !== undefined && { remedy: error.hint }) };
}
