import type { ChildProcess } from "node:child_process";
import { SandboxError } from "./sandbox-error.ts";
import { reviveError, type WorkerMessage } from "./worker-protocol.ts";

const CLOSE_TIMEOUT_MS = 2000;

interface Waiter {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The program's side of a namespace worker: requests over a child's IPC channel. `ended` says how the child ended. */
export class WorkerConnection {
  /** Resolves when the worker listens; rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #waiting = new Map<number, Waiter>();
  #next = 1;
  #end: SandboxError | undefined;

  constructor(child: ChildProcess, ended: Promise<SandboxError>) {
    this.#child = child;
    // Request 0 is the worker's own word that it listens.
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve: () => resolve(), reject }));
    this.#gone = ended.then((end) => {
      this.#end = end;
      for (const { reject } of this.#waiting.values()) reject(end);
      this.#waiting.clear();
    });
    child.on("message", (message) => this.#receive(message as WorkerMessage));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new SandboxError("WORKER_LOST", "namespace worker: it never started");
    return this.#child.pid;
  }

  async request(method: string, params: unknown, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    const id = this.#next++;
    const cancel = () => {
      // Whoever cannot hear of it has ended, or will.
      if (this.#child.connected) this.#child.send({ cancel: id }, () => undefined);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await this.#send(id, method, params);
    } catch (error) {
      // Cancelled work fails as such.
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  #send(id: number, method: string, params: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      this.#waiting.set(id, { resolve, reject });
      // What cannot be sent at all (a function in params) throws here, which rejects.
      this.#child.send({ id, method, params }, (error) => {
        // A closed channel is the end of the worker, which says more.
        if (error !== null && this.#waiting.delete(id)) void this.#gone.then(() => reject(this.#end ?? error));
      });
    });
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    // A method that blocks does not notice that the channel is closed.
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await this.#gone;
    clearTimeout(timer);
  }

  #receive(message: WorkerMessage): void {
    const id = "id" in message ? message.id : 0;
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if ("error" in message) waiter?.reject(reviveError(message.error));
    else waiter?.resolve("result" in message ? message.result : undefined);
  }
}
