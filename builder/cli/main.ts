import { endProcess } from "../../runtime-addon/index.ts";
import type { CliIo } from "./cli-io.ts";
import { dispatch } from "./dispatch.ts";

const cancel = new AbortController();
let deliver: ((signal: NodeJS.Signals) => void) | undefined;
let interrupts = 0;
let readsStdin = false;
/** Handed out for much data. */
const streams = new Set<string>();

function onSignal(signal: NodeJS.Signals): void {
  if (deliver !== undefined) {
    deliver(signal);
    return;
  }
  // The first one lets the command clean up; whoever asks again means it.
  if (++interrupts > 1) {
    // Behind what others do at the exit, and before Node waits there for threads that read or write a large file.
    process.on("exit", () => endProcess(130));
    process.exit(130);
  }
  cancel.abort();
  // Whoever waits for input hears of it as a failed read.
  if (readsStdin) process.stdin.destroy(cancel.signal.reason);
}
process.on("SIGINT", onSignal);
process.on("SIGTERM", onSignal);
process.on("SIGHUP", onSignal);

const io: CliIo = {
  get stdin() {
    // When it is cut off by a signal nobody may be reading any more.
    if (!readsStdin) process.stdin.on("error", () => undefined);
    readsStdin = true;
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  stream(name) {
    streams.add(name);
    return process[name];
  },
  get stderr() {
    return process.stderr;
  },
  env: process.env,
  uid: process.getuid?.() ?? 0,
  signal: cancel.signal,
  takeSignals(receiver) {
    deliver = receiver;
    for (const signal of ["SIGQUIT", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, onSignal);
  },
};

// A reader that has seen enough (`tsbuild images | head -1`) changes nothing about what is done, and the exit code is of that; a full disk is a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever writes much hears of each write.
  if (error.code === "EPIPE" || streams.has("stdout")) return;
  process.stderr.write(`error: writing to standard output: ${error.message} [WRITE_FAILED]\n`);
  process.exit(1);
});
// Where errors cannot be said, the exit code still tells.
process.stderr.on("error", () => undefined);

process.exitCode = await dispatch(process.argv.slice(2), io);
