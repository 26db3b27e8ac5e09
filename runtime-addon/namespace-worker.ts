import { packError, type WorkerCancel, type WorkerMessage, type WorkerRequest } from "./worker-protocol.ts";

/** What a worker can do: methods by name, each with one structured-cloneable parameter and result, and a signal for when that is no longer wanted. */
// biome-ignore lint/suspicious/noExplicitAny: the one parameter type that every method is assignable to
export type WorkerMethods = Record<string, (params: any, options: { readonly signal: AbortSignal }) => unknown>;

/**
 * The worker's side of openNamespaceWorker: answers requests, several at a time, until the other side closes the channel or dies; then
 * the process ends, after `onClose`.
 */
export function serveNamespaceWorker(methods: WorkerMethods, onClose: () => Promise<void> = async () => {}): void {
  const send = process.send?.bind(process) as ((message: WorkerMessage) => boolean) | undefined;
  if (send === undefined) throw new Error("serving as a namespace worker: this process has no message channel");
  const underWay = new Map<number, AbortController>();
  const answer = async ({ id, method, params }: WorkerRequest) => {
    const cancelled = new AbortController();
    underWay.set(id, cancelled);
    try {
      const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (handler === undefined) throw new Error(`namespace worker: there is no method ${method}`);
      send({ id, result: await handler(params, { signal: cancelled.signal }) });
    } catch (error) {
      if (process.connected) send({ id, error: packError(error) });
    } finally {
      underWay.delete(id);
    }
  };
  const receive = (message: WorkerRequest | WorkerCancel): void => {
    if ("cancel" in message) underWay.get(message.cancel)?.abort();
    else void answer(message);
  };
  process.on("message", (message) => receive(message as WorkerRequest | WorkerCancel));
  process.on("disconnect", () => void onClose().finally(() => process.exit(0)));
  send({ ready: true });
}
