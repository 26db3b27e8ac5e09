import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { helperPath } from "./binding.ts";
import type { IdMap, IdRange } from "./id-map.ts";
import type { WorkerMethods } from "./namespace-worker.ts";
import { encodeSpec, statusReader } from "./protocol.ts";
import { type ReportedFailure, SandboxError, sandboxError } from "./sandbox-error.ts";
import { reviveError, type WorkerMessage } from "./worker-protocol.ts";

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
export interface NamespaceWorker<Methods extends WorkerMethods> {
  /** For SandboxSpec.userNamespace. */
  readonly pid: number;
  /** Rejects with the method's own error (its code, hint and system call kept), or WORKER_LOST when the worker dies first. */
  request<Name extends keyof Methods & string>(
    method: Name,
    params: Parameters<Methods[Name]>[0],
  ): Promise<Awaited<ReturnType<Methods[Name]>>>;
  /** Ends the worker and waits for its end; requests under way are lost. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a script inside a new user namespace. The worker dies with this process, however that ends, and with the thread that calls
 * this. Throws SandboxError NAMESPACE_REFUSED or ID_MAP_REFUSED where the namespace cannot be made, WORKER_LOST where the script fails.
 */
export async function openNamespaceWorker<Methods extends WorkerMethods>(
  options: NamespaceWorkerOptions,
): Promise<NamespaceWorker<Methods>> {
  const child = spawn(options.initPath ?? helperPath(), [], {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "ipc"],
    env: { ...options.env },
    serialization: "advanced",
  });
  const worker = new Connection(child);
  const plan = encodeSpec(mapSettings(options.map), [process.execPath, options.script, ...(options.args ?? [])]);
  const channel = child.stdio[3] as Writable;
  // A helper that dies early breaks the pipe; its status and its end say why.
  channel.on("error", () => {});
  channel.end(plan);
  await worker.ready;
  return worker as NamespaceWorker<Methods>;
}

const CLOSE_TIMEOUT_MS = 2000;
const STDERR_TAIL_CHARS = 4000;

interface Waiter {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

class Connection {
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Waiter>();
  #next = 1;
  #lost: Error | undefined;
  #failure: ReportedFailure | undefined;
  #stderr = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    const status = child.stdio[4] as Readable;
    status.on(
      "data",
      statusReader((line) => {
        if ("error" in line) this.#failure ??= line.error;
      }),
    );
    status.on("error", () => {});
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL_CHARS);
    });
    // Request 0 is the worker's own word that it listens.
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve: () => resolve(), reject }));
    this.#ended = new Promise((resolve) => {
      const end = (cause?: Error) => {
        this.#lose(cause);
        resolve();
      };
      child.once("error", end);
      child.once("close", () => end());
    });
    child.on("message", (message) => this.#receive(message as WorkerMessage));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new SandboxError("WORKER_LOST", "namespace worker: it never started");
    return this.#child.pid;
  }

  request(method: string, params: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost);
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, params }, (error) => {
        if (error !== null && this.#waiting.delete(id)) reject(error);
      });
    });
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    // A method that blocks does not notice that the channel is closed.
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #receive(message: WorkerMessage): void {
    const id = "id" in message ? message.id : 0;
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if ("error" in message) waiter?.reject(reviveError(message.error));
    else waiter?.resolve("result" in message ? message.result : undefined);
  }

  #lose(cause: Error | undefined): void {
    const said = this.#stderr.trim();
    const reported = this.#failure === undefined ? undefined : sandboxError(this.#failure);
    const how = cause?.message ?? this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
    this.#lost = new SandboxError(
      reported?.code ?? "WORKER_LOST",
      `${reported?.message ?? `namespace worker: ended with ${how}`}${said === "" ? "" : `\n${said}`}`,
      {
        ...(reported?.hint !== undefined && { hint: reported.hint }),
        ...(reported?.failure !== undefined && { failure: reported.failure }),
        ...(cause !== undefined && { cause }),
      },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
  }
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
