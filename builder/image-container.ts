import { stat } from "node:fs/promises";
import { posix } from "node:path";
import { TsbuildError } from "../store/errors.ts";
import type { ContainerConfig } from "../store/oci.ts";
import { machinePlatform } from "../store/platform.ts";
import { RegistryError } from "../store/registry/registry-error.ts";
import type { Store } from "../store/store.ts";
import { imageFinder } from "./find-image.ts";
import type { FoundImage } from "./found-image.ts";
import { lazyRegistry } from "./lazy-registry.ts";
import { coveredBySandbox } from "./mount-target.ts";
import { otherPlatform } from "./other-platform.ts";
import { parsePlatform } from "./plan/platform.ts";
import { defaultPath, splitVariable } from "./plan/stage-state.ts";
import type { ResolvedRunOptions } from "./run-options.ts";
import type { ContainerMount } from "./sandbox/container-mounts.ts";

/** What a container is called by itself. */
export const defaultHostname = "tsbuild";

/** What the caller has mounted. */
export type GivenMount = Extract<ContainerMount, { kind: "host" | "tmpfs" }>;

/** The image with all its layers in the store, from a registry where the options allow it. */
export async function findWhole(store: Store, options: ResolvedRunOptions): Promise<FoundImage> {
  const { pull, onTransfer: onEvent, onNote } = options;
  const signal = options.signal ?? new AbortController().signal;
  await using registries = lazyRegistry({ onRetry: onNote, ...options.registry });
  const finder = imageFinder(store, { pull, take: "whole", registry: registries.open, onEvent, onNote, signal });
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const image = await finder.find(options.image, platform).catch((error: unknown) => {
    throw withStoreHint(error, store, options);
  });
  const note = otherPlatform(options.image, image.config, platform ?? machinePlatform());
  if (note !== undefined) onNote(note);
  await (await finder.fetcher()).fetch(image.layers, { signal });
  return image;
}

/** Of an image that a registry was asked for, since the store does not have it. */
function withStoreHint(error: unknown, { root }: Store, { pull }: ResolvedRunOptions): unknown {
  if (!(error instanceof RegistryError) || pull !== "missing") return error;
  const hint = `it is not in the store ${root}, so its registry was asked: tsbuild images lists what is there`;
  return new TsbuildError(error.code, error.message, { cause: error, hint: error.hint === undefined ? hint : `${hint}; ${error.hint}` });
}

/** A sandbox without its own /proc or /dev is none. */
export function refuseTargets(mounts: readonly { readonly target: string }[]): void {
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
export async function mountsOf({ volumes, tmpfs }: ResolvedRunOptions): Promise<readonly GivenMount[]> {
  const bound = volumes.map(async (volume) => ({ kind: "host", ...volume, isFile: await isFile(volume.source) }) as const);
  const mounts: GivenMount[] = [...(await Promise.all(bound)), ...tmpfs.map((mount) => ({ kind: "tmpfs", ...mount }) as const)];
  const depth = ({ target }: GivenMount): number => posix.resolve("/", target).split("/").length;
  return mounts.sort((a, b) => depth(a) - depth(b));
}

/** Where the image declares volumes that nothing is mounted on. */
export function volumesOf({ Volumes }: ContainerConfig, mounts: readonly GivenMount[]): readonly string[] {
  const taken = new Set(mounts.map(({ target }) => posix.resolve("/", target)));
  return Object.keys(Volumes ?? {}).filter((path) => !taken.has(posix.resolve("/", path)));
}

/** Entrypoint and command: the given ones replace the image's, and a given entrypoint drops the image's CMD. Throws NO_COMMAND. */
export function commandOf(options: ResolvedRunOptions, config: ContainerConfig): readonly [string, ...string[]] {
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

/** The image's variables, and those that are given. */
export function environmentOf(options: ResolvedRunOptions, config: ContainerConfig): Readonly<Record<string, string>> {
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
