import { exitCodeOf, SandboxError, type SandboxResult } from "../runtime-addon/index.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { openRootfs } from "../store/open-rootfs.ts";
import { openStore } from "../store/store.ts";
import { fullStoreHint } from "./full-store-hint.ts";
import { commandOf, defaultHostname, environmentOf, findWhole, mountsOf, refuseTargets, volumesOf } from "./image-container.ts";
import { type Keeping, keepContainer } from "./keep-container.ts";
import { type RunOptions, resolveRunOptions } from "./run-options.ts";
import { withContainer } from "./sandbox/container.ts";
import { openHost } from "./sandbox/host.ts";
import { limitHit } from "./sandbox/limits-hit.ts";
import { parseAddHost } from "./sandbox/network-files.ts";
import { refuseForeign } from "./sandbox/runnable.ts";
import { sandboxSecurity } from "./sandbox/security.ts";
import { type Stopper, stopper } from "./sandbox/stop.ts";
import { resolveUser } from "./steps/passwd.ts";

/**
 * Runs a command in a new container of an image of the store and resolves with the exit code that a shell would report. The container's
 * files are removed at the end, unless they are to be kept. Throws what RunOptions says, and the signal's reason when aborted.
 */
export async function runContainer(given: RunOptions): Promise<number> {
  const options = resolveRunOptions(given);
  refuseTargets([...options.volumes, ...options.tmpfs]);
  const store = await openStore(options.store, options);
  try {
    const image = await findWhole(store, options);
    const config = image.config.config ?? {};
    const { onNote } = options;
    refuseForeign(image.config, `running ${options.image}`);
    // How the sandbox is made is for builds to say; here it would stand in the middle of the command's own output.
    const host = openHost(store, () => {}, options.userns);
    let stopping: Stopper | undefined;
    let keeping: Keeping | undefined;
    let ended: SandboxResult | undefined;
    try {
      const mounts = await mountsOf(options);
      const hostname = options.hostname ?? defaultHostname;
      const spec = {
        layers: image.layers,
        args: commandOf(options, config),
        env: environmentOf(options, config),
        cwd: options.workdir ?? (config.WorkingDir || "/"),
        identity: await resolveUser(await openRootfs(store.layers, image.layers), options.user ?? config.User ?? ""),
        network: { mode: options.network, ports: options.ports, dns: options.dns },
        hostname,
        hosts: options.addHosts.map(parseAddHost),
        hostCa: options.hostCa,
        limits: options.limits,
        ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
        security: sandboxSecurity(options.security ?? {}),
        mounts,
        directories: volumesOf(config, mounts),
        readOnlyRoot: options.readOnly,
        documents: [],
        tty: options.tty,
      } as const;
      if (options.keep !== undefined) keeping = await keepContainer(store, options.keep, image, spec.args, options, host);
      return await withContainer(
        store,
        host,
        spec,
        { stdin: options.interactive ? "inherit" : "null", output: options.tty ? "inherit" : (options.output ?? "inherit") },
        {
          signal: new AbortController().signal,
          ...(options.signal === undefined ? {} : { kill: options.signal }),
          ...(keeping === undefined ? {} : { keepIn: keeping.directory }),
          now: Date.now,
          onNote,
          onStarted(deliver) {
            stopping = stopper(
              { signal: options.stopSignal ?? (config.StopSignal || "SIGTERM"), timeoutSeconds: options.stopTimeoutSeconds },
              deliver,
            );
            const { kill } = stopping;
            keeping?.onEndRequest(() => kill("SIGKILL"));
            options.onStarted?.(stopping);
          },
          onEnded(result) {
            ended = result;
          },
        },
        async ({ result }) => {
          const hit = limitHit(result.usage, options.limits);
          if (hit !== undefined) onNote(`the container ran ${hit.what}: ${hit.hint}`);
          const code = exitCodeOf(result.status);
          const full = code === 0 ? undefined : fullStoreHint(store.root);
          if (full !== undefined) onNote(full);
          return code;
        },
      ).finally(() => ended && keeping?.end(ended));
    } catch (error) {
      // Where tsb-init was lost the command has run, perhaps for long.
      const hasRun = stopping !== undefined && !(error instanceof SandboxError && error.code !== "SANDBOX_LOST");
      if (!hasRun) await keeping?.discard();
      throw error;
    } finally {
      stopping?.close();
      await keeping?.close();
      await host.close();
    }
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}
