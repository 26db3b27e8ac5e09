import { TsbuildError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import type { Repository } from "./repository.ts";
import type { TransferEvent, TransferSink } from "./transfer-event.ts";

/** Tells of one transfer; each call is an event. */
export interface TransferReport {
  progress(doneBytes: number): void;
  retry(message: string): void;
  /** The last one. */
  end(state: "done" | "present" | "mounted"): void;
  /** The last one instead. */
  failed(error: unknown): void;
}

/** Begins with the event `start`. */
export function reportTransfer(
  onEvent: TransferSink | undefined,
  direction: TransferEvent["direction"],
  what: TransferEvent["what"],
  target: Descriptor,
  { registry, name }: Pick<Repository, "registry" | "name">,
): TransferReport {
  let doneBytes = 0;
  const tell = (state: TransferEvent["state"], message?: string) =>
    onEvent?.({
      type: "transfer",
      direction,
      what,
      digest: target.digest,
      repository: `${registry}/${name}`,
      state,
      doneBytes,
      sizeBytes: target.size,
      ...(message === undefined ? {} : { message }),
    });
  tell("start");
  return {
    progress(bytes) {
      doneBytes = bytes;
      tell("progress");
    },
    retry: (message) => tell("retry", message),
    end(state) {
      if (state === "done") doneBytes = target.size;
      tell(state);
    },
    // What is no error of ours may say anything, a secret of the environment too.
    failed: (error) => tell("failed", error instanceof TsbuildError ? error.message : "cancelled"),
  };
}
