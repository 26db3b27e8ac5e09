import type { Store } from "../store/store.ts";
import type { BuildOptions } from "./options.ts";
import type { RunMount } from "./plan/operation.ts";
import type { ContainerMount } from "./sandbox/container-mounts.ts";
import type { Host } from "./sandbox/host.ts";
import type { KeptSpec } from "./sandbox/keep-failed.ts";
import { type CacheGate, openCacheGate, type WritableCache } from "./secrets/cache-gate.ts";
import { openSecrets } from "./secrets/secrets.ts";
import { openStepAgents } from "./steps/step-agents.ts";
import { openStepSecrets } from "./steps/step-secrets.ts";

/** Secrets and agents of a step, once more. */
export interface GivenAgain {
  readonly mounts: readonly ContainerMount[];
  readonly env: Readonly<Record<string, string>>;
  /** Searches caches for the secrets among it, when the shell has ended. */
  guard(caches: readonly WritableCache[]): Promise<Pick<CacheGate, "close">>;
  close(): Promise<void>;
}

/** Opens what the caller gives again of what a kept step had; without the rest a shell goes. Throws SECRET_INVALID, SSH_KEY_INVALID, SSH_KEY_ENCRYPTED. */
export async function givenAgain(
  { given, env }: Pick<KeptSpec, "given" | "env">,
  { secrets = {}, ssh = {} }: Pick<BuildOptions, "secrets" | "ssh">,
  { store, host, onNote }: { readonly store: Store; readonly host: Host; readonly onNote: (message: string) => void },
): Promise<GivenAgain> {
  const mounts = notRequired(given);
  const allowed = openSecrets(secrets);
  const box = await host.open();
  const opened = await openStepSecrets({ args: ["sh"], env, documents: [], mounts }, allowed, () => undefined);
  const agents = await openStepAgents({ mounts, env }, ssh, { store, host: box });
  const made = mounts.flatMap((mount): readonly ContainerMount[] => {
    if (mount.type === "secret") {
      const { id, target, mode, uid, gid } = mount;
      const secret = opened.of(mount);
      if (secret === undefined) onNote(missingSecret(id));
      return target === undefined || secret === undefined ? [] : [{ kind: "content", target, content: secret.bytes, mode, uid, gid }];
    }
    if (mount.type !== "ssh") return [];
    const source = agents.of(mount);
    if (source === undefined) onNote(missingAgent(mount.id));
    return source === undefined ? [] : [{ kind: "host", source, target: mount.target, readOnly: false, isFile: true }];
  });
  return {
    mounts: made,
    env: { ...opened.env, ...agents.env },
    guard: (caches) => openCacheGate(caches, { secrets: opened, allowed, work: box.work, onNote }),
    close: agents.close,
  };
}

/** A shell goes without the secrets and agents that nobody gives. */
export function notRequired(mounts: readonly RunMount[]): readonly RunMount[] {
  return mounts.map((mount) => ("required" in mount ? { ...mount, required: false } : mount));
}

export function missingSecret(id: string): string {
  return `the step had the secret ${JSON.stringify(id)}: --secret id=${id},src=FILE gives it again`;
}

export function missingAgent(id: string): string {
  return `the step had the SSH agent ${JSON.stringify(id)}: --ssh ${id} gives it again`;
}
