import { open } from "node:fs/promises";
import { exitCodeOf, type SandboxResult, syncFileSystem } from "../runtime-addon/index.ts";
import { createContainer, discardContainer } from "../store/containers.ts";
import { onEndRequest } from "../store/end-request.ts";
import type { ContainerConfig } from "../store/oci.ts";
import type { Store } from "../store/store.ts";
import type { FoundImage } from "./found-image.ts";
import { rfc3339 } from "./plan/rfc3339.ts";
import type { ResolvedRunOptions } from "./run-options.ts";
import type { Host } from "./sandbox/host.ts";

/** A container that is kept, from before its command starts until it has ended. */
export interface Keeping {
  /** Takes what the command changes. */
  readonly directory: string;
  /** Writes down how the command ended, and that its files are on the disk. */
  end(result: SandboxResult): Promise<void>;
  /** Removes it: its command could not be started. */
  discard(): Promise<void>;
  /** Calls `kill` when somebody wants it to end, until it is closed. */
  onEndRequest(kill: () => void): void;
  close(): PromiseLike<void>;
}

/** Throws CONTAINER_EXISTS where the name is taken, INVALID_VALUE where it is none. */
export async function keepContainer(
  store: Store,
  name: string,
  image: FoundImage,
  args: readonly string[],
  options: ResolvedRunOptions,
  host: Host,
): Promise<Keeping> {
  const { owners, work } = await host.open();
  const held = await createContainer(store, name, {
    image: options.image,
    manifestDigest: image.descriptor.digest,
    created: rfc3339(Date.now()),
    args,
    owners,
    layers: image.layers.map(({ diffId, blob }) => ({ diffId, blob })),
    config: { ...image.config, config: configOf(image.config.config ?? {}, options) },
  });
  let requests: { close(): void } | undefined;
  return {
    directory: held.directory,
    async end(result) {
      await flush(store.root);
      await held.end({ exitCode: exitCodeOf(result.status), ended: rfc3339(Date.now()), created: result.created });
    },
    onEndRequest(kill) {
      requests = onEndRequest(held.directory, kill);
    },
    async discard() {
      const gone = await store.tempFile("container");
      discardContainer(held, gone);
      await work.remove({ path: gone });
    },
    close() {
      requests?.close();
      return held[Symbol.asyncDispose]();
    },
  };
}

/** As an image of it will have them. Variables of the command line may be secrets, and stay outside. */
function configOf(config: ContainerConfig, { command, entrypoint, workdir, user, stopSignal }: ResolvedRunOptions): ContainerConfig {
  const { Cmd, Entrypoint, ...others } = config;
  const cmd = command.length > 0 || entrypoint !== undefined ? command : (Cmd ?? []);
  const start = entrypoint ?? Entrypoint ?? [];
  return {
    ...others,
    ...(start.length === 0 ? {} : { Entrypoint: start }),
    ...(cmd.length === 0 ? {} : { Cmd: cmd }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(user === undefined ? {} : { User: user }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
  };
}

/** The overlay is mounted "volatile": nothing of its upper is on the disk before that. */
async function flush(root: string): Promise<void> {
  const handle = await open(root, "r");
  try {
    await syncFileSystem(handle.fd);
  } finally {
    await handle.close();
  }
}
