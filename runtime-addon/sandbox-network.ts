import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { helperPath } from "./binding.ts";
import { encodeSpec, statusReader } from "./protocol.ts";
import { type ReportedFailure, SandboxError, sandboxError } from "./sandbox-error.ts";

/** A port of the host that leads into the network. */
export interface PublishedPort {
  readonly protocol: "tcp" | "udp";
  /** Absent: every address of the host. */
  readonly hostAddress?: string;
  readonly hostPort: number;
  readonly port: number;
}

export interface NetworkOptions {
  /** Absolute path of pasta (passt.top, pasta(1)). */
  readonly program: string;
  /**
   * A process whose user namespace owns the network; absent: our own, which takes CAP_SYS_ADMIN. The sandboxes in it must be in the same one: then they
   * have exactly their own capabilities in it.
   */
  readonly userNamespace?: { readonly pid: number };
  readonly publish?: readonly PublishedPort[];
  /** An address of which the sandbox's name queries go to the host's own first resolver, wherever that listens. */
  readonly resolver?: string;
  /** The address of the host's default gateway leads to the host's loopback. Absent: nothing does. */
  readonly hostLoopback?: boolean;
  /** Pasta connects the network itself, as where ports are published: it takes less of the machine, and crafted packets reach the loopback. Absent: false. */
  readonly direct?: boolean;
  /** How long pasta may take until it is ready; 10 000 where absent. */
  readonly deadlineMs?: number;
  /** Aborting ends what is being made, never a network that is ready. */
  readonly signal?: AbortSignal;
  /** Path of tsb-init, where it is not the one built here. */
  readonly initPath?: string;
}

/** A network namespace with a way out, for SandboxSpec.network. */
export interface SandboxNetwork {
  /** A process in the namespace. */
  readonly pid: number;
  /** What the machine has of a network and this one does without. */
  readonly skipped: readonly SandboxError[];
  /** False once pasta, or what keeps that process, has ended: `pid` may be another's by now. */
  isOpen(): boolean;
  /** Ends it and waits for its end; sandboxes in it are cut off. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes a network namespace that pasta connects to the outside with the sockets of an ordinary process: nothing of the host's network changes. Its
 * abstract sockets and its loopback are out of reach, whatever is sent; its other addresses can be reached. It dies with this process, however that ends.
 *
 * What keeps packets from the loopback, since a pasta of 2023 does not, is another namespace between this one and pasta. Only a network of which ports are
 * published, or that shall be direct, does without: there, crafted packets to 127.0.0.0/8 that are sent out of its interface get through.
 *
 * Throws SandboxError NETWORK_REFUSED where the kernel or pasta refuses, or where pasta is not ready in time, and the reason of an abort; then nothing is left of
 * the attempt.
 */
export async function openNetwork(options: NetworkOptions): Promise<SandboxNetwork> {
  const { signal } = options;
  signal?.throwIfAborted();
  const child = spawn(options.initPath ?? helperPath(), [], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    env: {},
    cwd: "/",
    argv0: "tsb-init",
  });
  const [, , , channel, status] = (child.stdio as typeof child.stdio | undefined) ?? [];
  const ended = endOf(child);
  // What Node calls a pipe is a socket: closing it is the sign to end.
  const close = async (): Promise<void> => {
    status?.destroy();
    await ended;
  };
  const stop = () => void status?.destroy();
  signal?.addEventListener("abort", stop);
  (channel as Writable | undefined)?.on("error", () => {}).end(networkSpec(options));
  try {
    const skipped: SandboxError[] = [];
    const pid = await readyPid(status as Readable | undefined, ended, skipped);
    return { pid, skipped, isOpen: () => child.exitCode === null && child.signalCode === null, close };
  } catch (error) {
    await close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function readyPid(status: Readable | undefined, ended: Promise<string>, skipped: SandboxError[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let failure: ReportedFailure | undefined;
    const onLine = statusReader((line) => {
      if ("pid" in line) resolve(line.pid);
      else if ("skipped" in line) skipped.push(sandboxError(line.skipped));
      else if ("error" in line) failure ??= line.error;
    });
    const lost = (how: string) =>
      reject(
        failure === undefined
          ? new SandboxError("NETWORK_REFUSED", `making the network: tsb-init ended with ${how}`)
          : sandboxError(failure),
      );
    status?.on("data", onLine).on("error", () => {});
    // The last line may come after the end of the process that wrote it.
    void ended.then((how) =>
      status === undefined || status.readableEnded || status.closed ? lost(how) : status.once("close", () => lost(how)),
    );
  });
}

/** Resolves when the process is no more, with how that came. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (cause) => resolve(cause.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

/**
 * Addresses that a program connects to as to this machine's loopback (RFC 6890; IPv4 written as IPv6, RFC 4291 section 2.5.5): nothing of the kind is
 * for another machine.
 */
const LOOPBACKS = ["127.0.0.0/8", "0.0.0.0/8", "::/96", "::ffff:0:0/96"];

/** The descriptors are those of src/init/network.cc. */
function networkSpec(options: NetworkOptions): Buffer {
  const { program, userNamespace, publish = [], resolver, hostLoopback = false, direct = false, deadlineMs } = options;
  const ports = (protocol: PublishedPort["protocol"]): string[] => {
    const mappings = publish.filter((port) => port.protocol === protocol);
    const words = mappings.map(
      ({ hostAddress, hostPort, port }) => `${hostAddress === undefined ? "" : `${hostAddress}/`}${hostPort}:${port}`,
    );
    const flag = protocol === "tcp" ? "-t" : "-u";
    return words.length === 0 ? [flag, "none"] : words.flatMap((word) => [flag, word]);
  };
  // To what is published pasta connects by the loopback of the namespace that it is in: that is the sandboxes' own then.
  const isDirect = direct || publish.length > 0;
  const routed = isDirect ? [] : ["--routed", ...LOOPBACKS.flatMap((prefix) => ["--blackhole", prefix])];
  const settings = [
    ...["--network", ...routed],
    ...(deadlineMs === undefined ? [] : ["--deadline", String(deadlineMs)]),
    ...(userNamespace === undefined ? [] : ["--join", String(userNamespace.pid)]),
  ];
  return encodeSpec(settings, [
    program,
    ...["--foreground", "--quiet", "--config-net"],
    ...(hostLoopback ? [] : ["--no-map-gw"]),
    ...ports("tcp"),
    ...ports("udp"),
    ...["-T", "none", "-U", "none"],
    ...(resolver === undefined ? [] : ["--dns-forward", resolver]),
    // It gives up its capabilities, its view of the files and most system calls by itself.
    ...["--runas", "0", "--netns", "/proc/self/fd/6", "--netns-only"],
    ...["--pid", "/proc/self/fd/7"],
  ]);
}
