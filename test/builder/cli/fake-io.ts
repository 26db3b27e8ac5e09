import { PassThrough } from "node:stream";
import type { CliIo } from "../../../builder/cli/cli-io.ts";

/** A process that exists only in the test: what is printed is kept. */
export interface FakeIo extends CliIo {
  readonly printed: { stdout: string; stderr: string };
  readonly cancel: AbortController;
}

export function fakeIo(options: { env?: Record<string, string>; stdin?: string | Uint8Array; uid?: number } = {}): FakeIo {
  const printed = { stdout: "", stderr: "" };
  const cancel = new AbortController();
  const stdin = options.stdin ?? "";
  return {
    stdin: (async function* () {
      yield typeof stdin === "string" ? Buffer.from(stdin) : stdin;
    })(),
    stdout: {
      write(text) {
        printed.stdout += text;
      },
    },
    stream: () => new PassThrough(),
    stderr: {
      write(text) {
        printed.stderr += text;
      },
    },
    env: options.env ?? {},
    uid: options.uid ?? 1000,
    signal: cancel.signal,
    takeSignals() {},
    printed,
    cancel,
  };
}
