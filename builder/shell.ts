import { exitCodeOf } from "../runtime-addon/index.ts";
import { TsbuildError } from "../store/errors.ts";
import { holdLastFailedStep } from "../store/failed-steps.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { openStore, type Store } from "../store/store.ts";
import type { BuildOptions } from "./options.ts";
import type { RunOptions } from "./run-options.ts";
import { type ContainerSpec, withContainer } from "./sandbox/container.ts";
import { type Host, openHost } from "./sandbox/host.ts";
import type { KeptSpec } from "./sandbox/keep-failed.ts";
import { stopper } from "./sandbox/stop.ts";
import { cachesAgain } from "./shell-caches.ts";
import { type GivenAgain, givenAgain } from "./shell-mounts.ts";

/** How a shell is talked to. */
export interface ShellOptions
  extends Required<Pick<RunOptions, "interactive" | "tty" | "onNote">>,
    Pick<RunOptions, "output" | "signal" | "onStarted"> {
  /** What runs instead of an interactive shell; empty: that. */
  readonly command: readonly string[];
  /** Added to the step's own. */
  readonly env: Readonly<Record<string, string>>;
}

/** bash where there is one. */
const shellWords = ["/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec /bin/sh; fi"] as const;

/** The command of a shell, as runContainer takes it. */
export function shellCommand(command: readonly string[]): readonly [string, ...string[]] {
  const [first, ...rest] = command;
  return first === undefined ? shellWords : [first, ...rest];
}

/**
 * Runs a shell in the step that failed last, as its command left it, and resolves with its exit code. What it changes is thrown away, but for what is in caches; secrets and agents of the step are what `again` has of them. Throws NO_FAILED_STEP where none is kept, and what
 * running a container throws.
 */
export async function shellInFailed(
  root: string,
  options: ShellOptions,
  again: Pick<BuildOptions, "secrets" | "ssh" | "userns" | "unpackLimits"> = {},
): Promise<number> {
  const store = await openStore(root, again);
  try {
    const failed = await holdLastFailedStep(store);
    if (failed === undefined) {
      throw new TsbuildError("NO_FAILED_STEP", `opening a shell: no failed step is kept in the store ${store.root}`, {
        hint: "tsbuild shell --at LINE PATH opens one in any step, tsbuild shell IMAGE in an image",
      });
    }
    const { title } = failed.state;
    const spec = failed.state.container as KeptSpec;
    const writes = spec.mounts.some((mount) => mount.kind === "host" && !mount.readOnly);
    options.onNote(`${title}, as it failed; what is changed here is thrown away${writes ? ", but for what is in cache mounts" : ""}`);
    const host = openHost(store, () => {}, again.userns);
    try {
      const given = await givenAgain(spec, again, { store, host, onNote: options.onNote });
      try {
        return await shellInKept(store, host, { ...spec, over: `${failed.directory}/upper` }, given, options);
      } finally {
        await given.close();
      }
    } finally {
      await host.close();
    }
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}

/** The caches are held, and searched for the secrets that were given again, as the step's own were. */
async function shellInKept(
  store: Store,
  host: Host,
  { given: _, caches, ...spec }: KeptSpec & Pick<ContainerSpec, "over">,
  given: GivenAgain,
  options: ShellOptions,
): Promise<number> {
  const { onNote, signal } = options;
  const box = await host.open();
  const held = await cachesAgain({ ...spec, caches }, { store, host: box, onNote, ...(signal === undefined ? {} : { signal }) });
  try {
    const gate = await given.guard(held.writable);
    try {
      const mounts = [...held.mounts, ...given.mounts];
      return await runShell(store, host, { ...spec, env: { ...spec.env, ...given.env }, mounts }, options);
    } finally {
      await gate.close();
    }
  } finally {
    held.release();
  }
}

/** Runs a shell in a container, and resolves with its exit code. */
export async function runShell(
  store: Store,
  host: Host,
  spec: Omit<ContainerSpec, "args" | "tty">,
  options: ShellOptions,
): Promise<number> {
  const { command, env, interactive, tty, output, signal, onNote, onStarted } = options;
  const args = shellCommand(command);
  const whole = { ...spec, args, tty, env: { ...(tty ? { TERM: "xterm" } : {}), ...spec.env, ...env } };
  let stopping: ReturnType<typeof stopper> | undefined;
  try {
    return await withContainer(
      store,
      host,
      whole,
      { stdin: interactive ? "inherit" : "null", output: tty ? "inherit" : (output ?? "inherit") },
      {
        signal: new AbortController().signal,
        ...(signal === undefined ? {} : { kill: signal }),
        now: Date.now,
        onNote,
        onStarted(deliver) {
          // An interactive shell does not end by SIGTERM.
          stopping = stopper({ signal: "SIGHUP", timeoutSeconds: 2 }, deliver);
          onStarted?.(stopping);
        },
      },
      async ({ result }) => exitCodeOf(result.status),
    );
  } finally {
    stopping?.close();
  }
}
