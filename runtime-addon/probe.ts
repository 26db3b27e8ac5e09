import { readFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { openCgroup } from "./cgroup.ts";
import type { ResourceLimits } from "./cgroup-files.ts";
import { cgroupMounts } from "./cgroup-mounts.ts";
import { type IdMap, planIdMap, readIdMapInputs } from "./id-map.ts";
import { type Probe, probeOverlay } from "./overlay-probe.ts";
import { SandboxError } from "./sandbox-error.ts";
import { openNamespaceWorker, tryUserNamespace } from "./user-namespace.ts";

/**
 * What this machine allows, each thing found out by doing it, in and below `directory` (where the store is). Leaves nothing behind.
 */
export async function probeHost(directory: string): Promise<Probe[]> {
  const inputs = readIdMapInputs();
  const map = planIdMap(inputs);
  const overlay = await probeOverlay(directory);
  const inNamespace = await probeOverlayInNamespace(directory, map);
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
    ...namespaces.map((probe) => needs(probe, !overlay.ok)),
    needs(overlay, !inNamespace.ok),
    needs(inNamespace, !overlay.ok),
    await probeCgroups(),
    await probePasta(),
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

/** The switch that is off, where one is. */
function namespaceRemedy(): string | undefined {
  if (sysctl("kernel/unprivileged_userns_clone") === 0) return "sysctl -w kernel.unprivileged_userns_clone=1";
  if (sysctl("user/max_user_namespaces") === 0) return "sysctl -w user.max_user_namespaces=15000";
  if (sysctl("kernel/apparmor_restrict_unprivileged_userns") === 1) return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  return undefined;
}

function sysctl(name: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/${name}`, "utf8"));
  } catch {
    // This kernel has no such switch.
    return undefined;
  }
}

function probeSubIds(map: IdMap, user: string): Probe {
  const name = "sub-ids";
  if (map.kind === "ranges") {
    const ranges = map.uid.slice(1).map(({ outside, count }) => `${outside}–${outside + count - 1}`);
    return { name, ok: true, detail: `${user} has ${ranges.join(", ")}` };
  }
  const remedy = `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`;
  return { name, ok: false, detail: map.reason, ...(map.reason.includes("/etc/sub") && { remedy }) };
}

// Says that it listens, and lives as long as somebody might have a message for it.
const IDLE_SCRIPT = "process.on('message', () => {}); process.send({ ready: true });";

async function probeOverlayInNamespace(directory: string, map: IdMap): Promise<Probe> {
  try {
    const worker = await openNamespaceWorker({ map, script: "--eval", args: [IDLE_SCRIPT] });
    try {
      return await probeOverlay(directory, { userNamespace: { pid: worker.pid } });
    } finally {
      await worker.close();
    }
  } catch (error) {
    return refusal("overlay in a user namespace", error);
  }
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

const pastaPurpose = "for networks apart from the host's, which this version does not make";

async function probePasta(): Promise<Probe> {
  for (const path of ["/usr/bin/pasta", "/bin/pasta", "/usr/local/bin/pasta"]) {
    try {
      await access(path, constants.X_OK);
      return { name: "pasta", ok: true, detail: `${path}; ${pastaPurpose}` };
    } catch {
      // Not here: the next place.
    }
  }
  return notNeeded({ name: "pasta", ok: false, detail: `not installed; ${pastaPurpose}` });
}

function refusal(name: string, error: unknown): Probe {
  if (!(error instanceof SandboxError)) throw error;
  return { name, ok: false, detail: error.message, ...(error.hint !== undefined && { remedy: error.hint }) };
}
