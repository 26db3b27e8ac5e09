import type { Writable } from "node:stream";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFailed } from "../../store/archive/write-failed.ts";
import type { RunOptions } from "../run-options.ts";
import type { CliIo } from "./cli-io.ts";

/** How a container's command is tied to this process: its output, and the signals that come from now on. `onRunning` is called when it runs. */
export function attached(io: CliIo, onRunning: () => void): Required<Pick<RunOptions, "output" | "signal" | "onStarted">> {
  const kill = new AbortController();
  return {
    output: (chunk, name) => passOn(io.stream(name), chunk, name),
    signal: AbortSignal.any([io.signal, kill.signal]),
    onStarted(container) {
      onRunning();
      let asked = 0;
      io.takeSignals((signal) => {
        if (signal === "SIGINT" || signal === "SIGTERM") asked++;
        // A command that does not listen must not hold the terminal for ever.
        if (asked > 2) kill.abort();
        else if (signal === "SIGTERM") container.stop();
        else container.kill(signal);
      });
    },
  };
}

/** Resolves when the stream has taken the bytes, so that a slow reader holds the command back and not our memory. Rejects with EPIPE where there is no reader. */
function passOn(stream: Writable, chunk: Uint8Array, name: "stdout" | "stderr"): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (!error) resolve();
      else reject(isSystemError(error) && !isSystemError(error, "EPIPE") ? writeFailed(`writing to ${name}`, error) : error);
    });
  });
}
