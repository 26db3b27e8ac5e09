import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { flatOwnersFilter, openCgroup, runSandbox, type SandboxResult, type SandboxSpec } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import type { Store } from "../../store/store.ts";
import type { ResourceLimits } from "../options.ts";
import type { StepUsage } from "../progress/event.ts";
import type { Identity } from "../steps/passwd.ts";
import { aptOptions } from "./apt-options.ts";
import { type ContainerMount, isFileMount, sandboxMounts } from "./container-mounts.ts";
import { containerRoot } from "./container-root.ts";
import type { Host } from "./host.ts";
import { findHostCa } from "./host-ca.ts";
import type { OpenHost } from "./ladder.ts";
import type { ContainerNetwork, NetworkRequest } from "./network.ts";
import { type HostEntry, hostsFile, wantsHostGateway } from "./network-files.ts";
import type { SandboxSecurity } from "./security.ts";

/** One command in a root file system of layers. */
export interface ContainerSpec {
  /** Bottom first. */
  readonly layers: readonly LayerRef[];
  /** A directory with an upper of another overlay, on top of the layers. Absent: none. */
  readonly over?: string;
  readonly args: readonly [string, ...string[]];
  /** Wins over what the sandbox supplies (HOME, the host's CA variables). */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly identity: Identity;
  readonly network: Omit<NetworkRequest, "hostGateway">;
  readonly hostname: string;
  readonly hosts: readonly HostEntry[];
  readonly hostCa: boolean;
  readonly limits: ResourceLimits;
  readonly shmSizeBytes?: number;
  /** In order: of equal targets the later is on top. */
  readonly mounts: readonly ContainerMount[];
  /** What the command may do. Absent: as Docker's defaults have it. */
  readonly security?: SandboxSecurity;
  /** Only what is mounted can be written. Absent: false. */
  readonly readOnlyRoot?: boolean;
  /** Directories that are there, empty where the layers have nothing of that name, by absolute path. Absent: none. */
  readonly directories?: readonly string[];
  /** Files below /dev. */
  readonly documents: readonly { readonly path: string; readonly content: string }[];
  readonly tty: boolean;
}

export type ContainerIo = Parameters<typeof runSandbox>[1];

export interface FinishedContainer {
  readonly host: OpenHost;
  /** The build directory: `upper` (of a copy, `tree`) in it holds what the command changed. */
  readonly directory: string;
  readonly result: SandboxResult;
  readonly usage: StepUsage;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export interface ContainerOptions {
  readonly signal: AbortSignal;
  /** Aborting kills everything at once. */
  readonly kill?: AbortSignal;
  /** A directory whose `upper` takes what the command changes, and stays. Absent: the scratch directory's. */
  readonly keepIn?: string;
  readonly now: () => number;
  /** How many more containers with a network like this one's are likely to come next. Absent: none. */
  readonly following?: number;
  /** Says what this machine cannot do and the container does without. */
  readonly onNote: (message: string) => void;
  /** Gets what sends a signal to the command, by number. */
  readonly onStarted?: (deliver: (signal: number) => void) => void;
  /** As of SandboxOptions. */
  readonly onEnded?: (result: SandboxResult) => void;
}

/**
 * Runs a command on top of layers and hands what it left to `after`; the scratch directory is removed when that is done. Throws SandboxError where
 * the sandbox cannot be made; a command that fails is no error here.
 */
export async function withContainer<T>(
  store: Store,
  host: Host,
  spec: ContainerSpec,
  io: ContainerIo,
  options: ContainerOptions,
  after: (finished: FinishedContainer) => Promise<T>,
): Promise<T> {
  const opened = await host.open();
  const networks = await host.networks();
  // It gets ready while layers are unpacked.
  const request = { ...spec.network, hostGateway: wantsHostGateway(spec.hosts) };
  const network = networks.open(request, { following: options.following ?? 0, onNote: options.onNote, signal: options.signal });
  // Whoever awaits it hears of a failure, be it after this one.
  network.catch(() => {});
  try {
    return await runInScratch({ store, opened, network }, spec, io, options, after);
  } finally {
    await network.then(
      ({ close }) => close(),
      () => {},
    );
  }
}

interface ContainerSite {
  readonly store: Store;
  readonly opened: OpenHost;
  /** Whoever opened it closes it, and hears of its failure. */
  readonly network: Promise<ContainerNetwork>;
}

async function runInScratch<T>(
  { store, opened, network }: ContainerSite,
  spec: ContainerSpec,
  io: ContainerIo,
  options: ContainerOptions,
  after: (finished: FinishedContainer) => Promise<T>,
): Promise<T> {
  const { work, owners } = opened;
  const noteOmitted = (paths: readonly string[]): void => {
    if (paths.length > 0) options.onNote(`device files cannot be made here and are missing: ${paths.join(", ")}`);
  };
  const directory = await store.temp("container");
  const changes = options.keepIn ?? directory;
  const mountPoints = {
    directories: [spec.cwd, ...(spec.directories ?? []), ...spec.mounts.filter((mount) => !isFileMount(mount)).map(({ target }) => target)],
    files: spec.mounts.filter(isFileMount).map(({ target }) => target),
  };
  try {
    if (options.keepIn !== undefined || spec.over !== undefined) refuseCopy(opened);
    const places = { directory, changes, ...(spec.over === undefined ? {} : { over: spec.over }) };
    const root = await containerRoot(opened, places, spec.layers, mountPoints, noteOmitted);
    const mounts = await sandboxMounts(spec.mounts, opened, directory, noteOmitted);
    const files = { resolv: join(directory, "resolv.conf"), hosts: join(directory, "hosts") };
    const { kind, namespace, gateway, resolvConf } = await network;
    await writeFile(files.resolv, resolvConf, { mode: 0o644 });
    await writeFile(files.hosts, hostsFile(spec.hostname, spec.hosts, gateway), { mode: 0o644 });
    const ca = spec.hostCa ? await findHostCa() : undefined;
    // Else apt drops to a user of its own, whom a single id cannot become.
    const apt = aptOptions([...(ca === undefined ? [] : [ca.aptOption]), ...(owners === "flat" ? ['APT::Sandbox::User "root";'] : [])]);
    const { group } = await openCgroup(spec.limits);
    try {
      const sandbox: SandboxSpec = {
        root,
        proc: opened.form.proc,
        ...(opened.userNamespace === undefined ? {} : { userNamespace: opened.userNamespace }),
        network: namespace,
        hostname: spec.hostname,
        mounts: [
          { kind: "bind", source: files.resolv, target: "/etc/resolv.conf", readOnly: true },
          { kind: "bind", source: files.hosts, target: "/etc/hosts", readOnly: true },
          ...(ca === undefined ? [] : [{ kind: "bind", source: ca.source, target: ca.target, readOnly: true } as const]),
          ...mounts,
        ],
        ...spec.security?.spec,
        ...(spec.readOnlyRoot === true ? { readOnlyRoot: true } : {}),
        files: [...apt.files, ...spec.documents.map(({ path, content }) => ({ target: path, content, mode: 0o755 }))],
        ...(spec.shmSizeBytes === undefined ? {} : { shmSizeBytes: spec.shmSizeBytes }),
        process: {
          args: spec.args,
          env: { HOME: spec.identity.home, ...ca?.env, ...apt.env, ...spec.env },
          cwd: spec.cwd,
          uid: spec.identity.uid,
          gid: spec.identity.gid,
          // A single id leaves no others to have.
          groups: owners === "flat" ? [] : spec.identity.groups,
          ...spec.security?.process,
          ...(spec.tty ? { tty: true } : {}),
          ...(owners === "flat" ? { filters: [flatOwnersFilter()] } : {}),
        },
        ...(group === undefined ? {} : { cgroup: group }),
      };
      const startedAtMs = options.now();
      const result = await runSandbox(sandbox, io, {
        signal: options.signal,
        ...(options.kill === undefined ? {} : { kill: options.kill }),
        onStarted: (sandbox) => options.onStarted?.((signal) => sandbox.kill(signal)),
        ...(options.onEnded === undefined ? {} : { onEnded: options.onEnded }),
      });
      const endedAtMs = options.now();
      for (const { message, failure } of result.skipped) {
        // Whether the overlay could be closed for good concerns only those who keep what is in it, and they refuse; that the kernel has no scopes for
        // sockets is for `tsbuild info` to say, once.
        if (failure?.op !== "seal" && failure?.op !== "--scope") options.onNote(`the sandbox does without: ${message}`);
      }
      const usage = { wallMs: endedAtMs - startedAtMs, ...result.usage, network: kind };
      return await after({ host: opened, directory, result, usage, startedAtMs, endedAtMs });
    } finally {
      await group?.close();
    }
  } finally {
    await work.remove({ path: directory });
  }
}

/** What is kept is an overlay's upper directory. */
function refuseCopy({ form }: OpenHost): void {
  if (form.root === "overlay") return;
  throw new TsbuildError(
    "UNSUPPORTED_FEATURE",
    "keeping the container: no overlay can be mounted here, and what a copy of the layers becomes is not kept",
    {
      hint: "use a store on another file system (--store DIR)",
    },
  );
}
