import { dirname } from "node:path";
import { TsbuildError } from "../../store/errors.ts";
import type { Store } from "../../store/store.ts";
import type { SshSource } from "../options.ts";
import type { RunMount, RunOperation } from "../plan/operation.ts";
import type { OpenHost } from "../sandbox/ladder.ts";
import { openAgent } from "../ssh/agent.ts";
import { type ServedAgent, serveAgent } from "../ssh/serve-agent.ts";

export type SshMount = Extract<RunMount, { type: "ssh" }>;

/** The SSH agents that a step may talk to. */
export interface StepAgents {
  /** The socket; undefined where the caller gave none and the step goes without. */
  of(mount: SshMount): string | undefined;
  /** SSH_AUTH_SOCK, where the step has not set it itself. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Opens a socket for each, for this step alone. Throws SSH_MISSING for one that it cannot go without, SSH_KEY_INVALID, SSH_KEY_ENCRYPTED. */
export async function openStepAgents(
  { mounts, env }: Pick<RunOperation, "mounts" | "env">,
  sources: Readonly<Record<string, SshSource>>,
  { store, host }: { readonly store: Store; readonly host: OpenHost },
): Promise<StepAgents> {
  const served = new Map<SshMount, ServedAgent>();
  const close = async (): Promise<void> => {
    for (const agent of served.values()) await agent.close();
  };
  try {
    for (const mount of mounts) {
      if (mount.type !== "ssh") continue;
      const source = Object.hasOwn(sources, mount.id) ? sources[mount.id] : undefined;
      if (source === undefined) {
        if (mount.required) throw missing(mount.id);
        continue;
      }
      const agent = await serveAgent(await openAgent(source), await store.temp("agent"));
      served.set(mount, agent);
      const { mode, uid, gid } = mount;
      await host.work.own({ directory: dirname(agent.path), name: "agent", mode: mode & 0o777, uid, gid, owners: host.owners });
    }
  } catch (error) {
    await close();
    throw error;
  }
  const [first] = served.keys();
  return {
    of: (mount) => served.get(mount)?.path,
    env: first === undefined || env.SSH_AUTH_SOCK !== undefined ? {} : { SSH_AUTH_SOCK: first.target },
    close,
  };
}

function missing(id: string): TsbuildError {
  return new TsbuildError("SSH_MISSING", `looking for the SSH agent ${JSON.stringify(id)}: the step requires it, and it was not given`, {
    hint: `--ssh ${id} forwards $SSH_AUTH_SOCK; --ssh ${id}=FILE gives a key`,
  });
}
