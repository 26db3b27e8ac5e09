import type { RunOperation } from "../plan/operation.ts";
import type { ContainerSpec } from "../sandbox/container.ts";
import { parseAddHost, stepHostname } from "../sandbox/network-files.ts";
import { sandboxSecurity } from "../sandbox/security.ts";
import { resolveUser } from "./passwd.ts";
import type { StepResources } from "./run-resources.ts";
import type { RunSettings } from "./run-settings.ts";
import type { Files, StepContext } from "./step.ts";

/** The container that a RUN's command has, on top of these files. Throws as resolveUser does. */
export async function runSpec(
  operation: RunOperation,
  files: Files,
  context: Pick<StepContext, "rootfs">,
  settings: RunSettings,
  { mounts, env }: Pick<StepResources, "mounts" | "env">,
): Promise<ContainerSpec> {
  return {
    layers: files.layers,
    args: operation.args,
    env: { ...settings.proxy, ...operation.env, ...env },
    cwd: operation.cwd,
    identity: await resolveUser(await context.rootfs(files.layers), operation.user),
    network: { mode: operation.network === "default" ? settings.defaultNetwork : operation.network, ports: [], dns: settings.dns },
    hostname: operation.hostname ?? stepHostname,
    hosts: settings.addHosts.map(parseAddHost),
    hostCa: settings.hostCa,
    limits: settings.limits,
    ...(settings.shmSizeBytes === undefined ? {} : { shmSizeBytes: settings.shmSizeBytes }),
    security: sandboxSecurity(settings.security ?? {}, operation.security),
    mounts,
    documents: operation.documents,
    tty: false,
  };
}
