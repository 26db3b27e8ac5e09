import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { helperPath } from "./binding.ts";
import type { IdMap, IdRange } from "./id-map.ts";
import type { WorkerMethods } from "./namespace-worker.ts";
import { encodeSpec, statusReader } from "./protocol.ts";
import { type ReportedFailure, SandboxError, sandboxError } from "./sandbox-error.ts";
import { WorkerConnection } from "./worker-connection.ts";

export interface NamespaceWorkerOptions {
  readonly map: IdMap;
  /** The script, which calls serveNamespaceWorker, and its arguments; run by this process's own Node. */
  readonly script: string;
  readonly args?: readonly string[];
  /** The whole environment; empty where absent. */
  readonly env?: Readonly<Record<string, string>>;
  /** Path of tsb-init, where it is not the one built here. */
  readonly initPath?: string;
}

/** A process that is root of a user namespace, and does what its script offers there. */
export interface NamespaceWorker<Methods extends WorkerMethods = WorkerMethods> {
  /** For SandboxSpec.userNamespace. */
  readonly pid: number;
  /** Rejects with the method's own error (its code, hint and system call kept), with `signal.reason` when aborted and the method has given up, or WORKER_LOST when the worker dies first. */
  request<Name extends keyof Methods & string>(
    method: Name,
    params: Parameters<Methods[Name]>[0],
    signal?: AbortSignal,
  ): Promise<Awaited<ReturnType<Methods[Name]>>>;
  /** Ends the worker and waits for its end; requests under way are lost. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a script inside a new user namespace. The worker dies with this process, however that ends, and with the thread that calls
 * this. Throws SandboxError NAMESPACE_REFUSED or ID_MAP_REFUSED where the namespace cannot be made, WORKER_LOST where the script fails.
 */
export async function openNamespaceWorker<Methods extends WorkerMethods = WorkerMethods>(
  options: NamespaceWorkerOptions,
): Promise<NamespaceWorker<Methods>> {
  const { map, script, args = [], env = {} } = options;
  const { child, ended } = start(options.initPath ?? helperPath(), map, [process.execPath, script, ...args], { env, ipc: true });
  const worker = new WorkerConnection(child, ended);
  await worker.ready;
  return worker as NamespaceWorker<Methods>;
}

// Says that it listens, and lives as long as somebody might have a message for it.
const IDLE_SCRIPT = "process.on('message', () => {}); process.send({ ready: true });";

/** A user namespace with this map, held by a process that does nothing else. Throws as openNamespaceWorker does. */
export function openUserNamespace(map: IdMap): Promise<Pick<NamespaceWorker, "pid" | "close">> {
  return openNamespaceWorker({ map, script: "--eval", args: [IDLE_SCRIPT] });
}

/** Makes a user namespace with this map and gives it up at once. Throws as openNamespaceWorker does. */
export async function tryUserNamespace(map: IdMap): Promise<void> {
  const { child, ended } = start(helperPath(), map, [helperPath(), "--version"], { env: {}, ipc: false });
  const end = await ended;
  if (child.exitCode !== 0) throw end;
}

const STDERR_TAIL_CHARS = 4000;

interface Started {
  readonly child: ChildProcess;
  /** Resolves at the process's end with how that reads as an error. */
  readonly ended: Promise<SandboxError>;
}

function start(
  init: string,
  map: IdMap,
  command: readonly string[],
  options: { env: Readonly<Record<string, string>>; ipc: boolean },
): Started {
  const child = spawn(init, [], {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", options.ipc ? "ipc" : "ignore"],
    env: { ...options.env },
    serialization: "advanced",
  });
  let failure: ReportedFailure | undefined;
  let said = "";
  // Undefined where not even the pipes could be made: the error event says so.
  const [, , stderr, channel, status] = (child.stdio as typeof child.stdio | undefined) ?? [];
  (stderr as Readable | undefined)?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-STDERR_TAIL_CHARS);
  });
  const onLine = statusReader((line) => {
    if ("error" in line) failure ??= line.error;
  });
  // A helper that dies early breaks its channels; its status and its end say why.
  status?.on("data", onLine).on("error", () => {});
  (channel as Writable | undefined)?.on("error", () => {}).end(encodeSpec(mapSettings(map), command));
  const ended = new Promise<SandboxError>((resolve) => {
    child.once("error", (cause) => resolve(endOf(child, failure, said, cause)));
    // "close" does not come when this side has disconnected the channel of messages: the ends of the process and of what it said make it.
    const closed = [stderr, status].map(
      (stream) => new Promise<void>((done) => (stream?.closed === false ? stream.once("close", done) : done())),
    );
    child.once("exit", () => void Promise.all(closed).then(() => resolve(endOf(child, failure, said))));
  });
  return { child, ended };
}

function endOf(child: ChildProcess, failure: ReportedFailure | undefined, said: string, cause?: Error): SandboxError {
  const tail = said.trim() === "" ? "" : `\n${said.trim()}`;
  if (failure !== undefined) return sandboxError(failure, tail);
  const how = cause?.message ?? child.signalCode ?? `exit code ${child.exitCode}`;
  return new SandboxError("WORKER_LOST", `namespace worker: ended with ${how}${tail}`, cause === undefined ? {} : { cause });
}

function mapSettings(map: IdMap): string[] {
  const ranges = (name: string, list: readonly IdRange[]) =>
    list.flatMap(({ inside, outside, count }) => [name, String(inside), String(outside), String(count)]);
  const writers = map.kind === "ranges" ? map.writers : undefined;
  return [
    "--worker",
    ...ranges("--map-uid", map.uid),
    ...ranges("--map-gid", map.gid),
    ...(map.kind === "single" ? ["--deny-setgroups"] : []),
    ...(writers === undefined ? [] : ["--newuidmap", writers.newuidmap, "--newgidmap", writers.newgidmap]),
  ];
}
