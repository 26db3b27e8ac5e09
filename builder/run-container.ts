import { stat } from "node:fs/promises";
import { posix } from "node:path";
import { exitCodeOf, SandboxError } from "../runtime-addon/index.ts";
import { TsbuildError } from "../store/errors.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import type { ContainerConfig } from "../store/oci.ts";
import { openRootfs } from "../store/open-rootfs.ts";
import { machinePlatform } from "../store/platform.ts";
import { openStore, type Store } from "../store/store.ts";
import { imageFinder } from "./find-image.ts";
import type { FoundImage } from "./found-image.ts";
import { type Keeping, keepContainer } from "./keep-container.ts";
import { lazyRegistry } from "./lazy-registry.ts";
import { coveredBySandbox } from "./mount-target.ts";
import { otherPlatform } from "./other-platform.ts";
import { parsePlatform } from "./plan/platform.ts";
import { defaultPath, splitVariable } from "./plan/stage-state.ts";
import { type ResolvedRunOptions, type RunOptions, resolveRunOptions } from "./run-options.ts";
import { withContainer } from "./sandbox/container.ts";
import type { ContainerMount } from "./sandbox/container-mounts.ts";
import { openHost } from "./sandbox/host.ts";
import { limitHit } from "./sandbox/limits-hit.ts";
import { parseAddHost } from "./sandbox/network-files.ts";
import { refuseForeign } from "./sandbox/runnable.ts";
import { sandboxSecurity } from "./sandbox/security.ts";
import { type Stopper, stopper } from "./sandbox/stop.ts";
import { resolveUser } from "./steps/passwd.ts";

const defaultHostname = "tsbuild";

/**
 * Runs a command in a new container of an image of the store and resolves with the exit code that a shell would report. The container's
 * files are removed at the end, unless they are to be kept. Throws what RunOptions says, and the signal's reason when aborted.
 */
export async function runContainer(given: RunOptions): Promise<number> {
  const options = resolveRunOptions(given);
  refuseTargets([...options.volumes, ...options.tmpfs]);
  const store = await openStore(options.store);
  try {
    const image = await findWhole(store, options);
    const config = image.config.config ?? {};
    const { onNote } = options;
    refuseForeign(image.config, `running ${options.image}`);
    // How the sandbox is made is for builds to say; here it would stand in the middle of the command's own output.
    const host = openHost(store, () => {}, options.userns);
    let stopping: Stopper | undefined;
    let keeping: Keeping | undefined;
    try {
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
        mounts: await mountsOf(options),
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
            options.onStarted?.(stopping);
          },
        },
        async ({ result }) => {
          const hit = limitHit(result.usage, options.limits);
          if (hit !== undefined) onNote(`the container ran ${hit.what}: ${hit.hint}`);
          await keeping?.end(result);
          return exitCodeOf(result.status);
        },
      );
    } catch (error) {
      // Where tsb-init was lost the command has run, perhaps for long.
      if (error instanceof SandboxError && error.code !== "SANDBOX_LOST") await keeping?.discard();
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

/** The image with all its layers in the store, from a registry where the options allow it. */
async function findWhole(store: Store, options: ResolvedRunOptions): Promise<FoundImage> {
  const { pull, onTransfer: onEvent, onNote } = options;
  const signal = options.signal ?? new AbortController().signal;
  await using registries = lazyRegistry(options.registry);
  const finder = imageFinder(store, { pull, take: "whole", registry: registries.open, onEvent, onNote, signal });
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const image = await finder.find(options.image, platform);
  const note = otherPlatform(options.image, image.config, platform ?? machinePlatform());
  if (note !== undefined) onNote(note);
  await (await finder.fetcher()).fetch(image.layers, { signal });
  return image;
}

/** A sandbox without its own /proc or /dev is none. */
function refuseTargets(mounts: readonly { readonly target: string }[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    const covered = coveredBySandbox(target);
    if (covered !== undefined) throw new TsbuildError("INVALID_VALUE", `mounting on ${target}: ${covered} is the sandbox's own`);
    const path = posix.resolve("/", target);
    if (seen.has(path)) throw new TsbuildError("INVALID_VALUE", `mounting on ${target}: there is another mount on it`);
    seen.add(path);
  }
}

/** What is above others first, in whatever order they were given. */
async function mountsOf({ volumes, tmpfs }: ResolvedRunOptions): Promise<readonly ContainerMount[]> {
  const bound = volumes.map(async (volume) => ({ kind: "host", ...volume, isFile: await isFile(volume.source) }) as const);
  const mounts: ContainerMount[] = [...(await Promise.all(bound)), ...tmpfs.map((mount) => ({ kind: "tmpfs", ...mount }) as const)];
  const depth = ({ target }: ContainerMount): number => posix.resolve("/", target).split("/").length;
  return mounts.sort((a, b) => depth(a) - depth(b));
}

/** Entrypoint and command: the given ones replace the image's, and a given entrypoint drops the image's CMD. Throws NO_COMMAND. */
function commandOf(options: ResolvedRunOptions, config: ContainerConfig): readonly [string, ...string[]] {
  const entrypoint = options.entrypoint ?? config.Entrypoint ?? [];
  const command = options.command.length > 0 || options.entrypoint !== undefined ? options.command : (config.Cmd ?? []);
  const [first, ...rest] = [...entrypoint, ...command];
  if (first === undefined) {
    throw new TsbuildError("NO_COMMAND", `running ${options.image}: the image has no CMD or ENTRYPOINT, and no command was given`, {
      hint: `tsbuild run ${options.image} COMMAND`,
    });
  }
  return [first, ...rest];
}

function environmentOf(options: ResolvedRunOptions, config: ContainerConfig): Readonly<Record<string, string>> {
  const fromImage = Object.fromEntries((config.Env ?? []).map(splitVariable));
  return {
    PATH: defaultPath,
    HOSTNAME: options.hostname ?? defaultHostname,
    ...(options.tty ? { TERM: "xterm" } : {}),
    ...fromImage,
    ...options.env,
  };
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new TsbuildError(
      "VOLUME_NOT_FOUND",
      `mounting ${path}: ${cause.code === "ENOENT" ? "no such file or directory" : cause.message}`,
      { cause },
    );
  });
  return !found.isDirectory();
}
