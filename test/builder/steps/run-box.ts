import { execFileSync } from "node:child_process";
import { hostDns } from "../../../builder/options.ts";
import type { RunMount, RunOperation } from "../../../builder/plan/operation.ts";
import { openHost } from "../../../builder/sandbox/host.ts";
import { openSecrets } from "../../../builder/secrets/secrets.ts";
import { cacheMounts } from "../../../builder/steps/cache-mounts.ts";
import { runStep } from "../../../builder/steps/run.ts";
import type { RunInputs } from "../../../builder/steps/run-inputs.ts";
import type { RunSettings } from "../../../builder/steps/run-settings.ts";
import type { Files, StepContext, StepOutcome } from "../../../builder/steps/step.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry, fileEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { busyboxTar } from "../../support/bases.ts";
import { filesOf } from "./step-context.ts";

const applets = [
  ...["cat", "chmod", "echo", "find", "grep", "head", "hostname", "id", "ln", "ls", "mkdir", "mount", "mv", "rm", "rmdir"],
  ...["sh", "sleep", "stat", "touch", "tr", "wc"],
];

/** A root file system of one layer: busybox, and these files. */
export function busyboxFiles(store: Store, entries: readonly SourceEntry[] = []): Promise<Files> {
  const program = execFileSync("tar", ["-xOf", busyboxTar(), "./bin/busybox"], { maxBuffer: 1 << 26 }).toString("latin1");
  return filesOf(store, [
    directoryEntry("bin"),
    fileEntry("bin/busybox", program, { mode: 0o755 }),
    ...applets.map((name) => symlinkEntry(`bin/${name}`, "busybox")),
    ...entries,
  ]);
}

export function runOperation(script: string, change: Partial<RunOperation> = {}): RunOperation {
  return {
    op: "run",
    args: ["/bin/sh", "-c", script],
    env: { PATH: "/bin" },
    cwd: "/",
    user: "",
    network: "none",
    security: "sandbox",
    documents: [],
    mounts: [],
    ...change,
  };
}

export const bind = (target: string, change: Partial<Extract<RunMount, { type: "bind" }>> = {}): RunMount => ({
  type: "bind",
  target,
  origin: { from: "context" },
  source: "",
  readOnly: true,
  ...change,
});

export const noInputs: RunInputs = {
  bind() {
    throw new Error("a bind mount's source was asked for");
  },
};

/** Runs the steps of one build; close it at the end. */
export function runner(store: Store, context: StepContext, change: Partial<RunSettings> = {}) {
  const host = openHost(store, () => {});
  const settings: RunSettings = {
    host,
    caches: cacheMounts(),
    secrets: openSecrets({}),
    ssh: {},
    limits: {},
    addHosts: [],
    defaultNetwork: "default",
    dns: hostDns,
    proxy: {},
    hostCa: false,
    onNote: () => {},
    ...change,
  };
  return {
    settings,
    /** What the step did, and what its command wrote. */
    async run(operation: RunOperation, files: Files, inputs = noInputs): Promise<StepOutcome & { readonly output: string }> {
      let output = "";
      const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 4 } };
      const place = {
        info: { id: 1, title: "RUN", range },
        instruction: { range } as Parameters<typeof runStep>[4]["instruction"],
        source: { file: "Dockerfile", text: "RUN\n" },
        onEvent: (event: Parameters<Parameters<typeof runStep>[4]["onEvent"]>[0]) => {
          if (event.type === "step-output") output += Buffer.from(event.chunk).toString("utf8");
        },
      };
      try {
        return { ...(await runStep(operation, files, context, settings, place, inputs)), output };
      } catch (error) {
        throw Object.assign(error as Error, { output });
      }
    },
    close: () => host.close(),
  };
}
