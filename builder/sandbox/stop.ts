import { constants } from "node:os";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { parseStopSignal } from "../dockerfile/values.ts";

/** A container whose command runs. */
export interface RunningContainer {
  /** Sends a signal to the command; one that comes too late is lost. */
  kill(signal: NodeJS.Signals): void;
  /** Asks the command to end with its stop signal, and kills it when its time is over. */
  stop(): void;
}

export interface StopOptions {
  /** A name with or without SIG, or a number. */
  readonly signal: string;
  /** Seconds; negative: for ever. */
  readonly timeoutSeconds: number;
}

/** libc keeps two real-time signals to itself (signal(7)). */
const [firstRealTime, lastRealTime] = [34, 64];

/** Whether there is such a signal: a name with or without SIG, or a number. */
export function isSignal(text: string): boolean {
  try {
    return signalNumber(text) <= lastRealTime;
  } catch (error) {
    if (error instanceof TsbuildError) return false;
    throw error;
  }
}

/** The number of a signal as STOPSIGNAL writes it. Throws INVALID_SIGNAL. */
export function signalNumber(text: string): number {
  const name = parseStopSignal(text).toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:[+-](\d+))?$/.exec(name);
  if (realTime !== null) return realTime[1] === "MIN" ? firstRealTime + Number(realTime[2] ?? 0) : lastRealTime - Number(realTime[2] ?? 0);
  return /^\d+$/.test(name) ? Number(name) : constants.signals[`SIG${aliases[name] ?? name}` as NodeJS.Signals];
}

/** Names that Node does not have. */
const aliases: Readonly<Record<string, string>> = { CLD: "CHLD", POLL: "IO" };

/** Watches over the end of a container; close() it when that has come. */
export interface Stopper extends RunningContainer {
  close(): void;
}

/** `deliver` sends a signal to the command. An image may name a signal that there is not: then it is SIGTERM, as in Docker. */
export function stopper({ signal, timeoutSeconds }: StopOptions, deliver: (signal: number) => void): Stopper {
  const number = isSignal(signal) ? signalNumber(signal) : constants.signals.SIGTERM;
  let timer: NodeJS.Timeout | undefined;
  return {
    kill: (name) => deliver(constants.signals[name]),
    stop() {
      deliver(number);
      if (timeoutSeconds >= 0) timer ??= setTimeout(() => deliver(constants.signals.SIGKILL), timeoutSeconds * 1000);
    },
    close: () => clearTimeout(timer),
  };
}
