import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { RunOperation } from "../../../builder/plan/operation.ts";
import { lookupRun } from "../../../builder/steps/run.ts";
import type { RunInputs } from "../../../builder/steps/run-inputs.ts";
import type { RunSettings } from "../../../builder/steps/run-settings.ts";
import { type Digest, digestOf } from "../../../store/digest.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { directoryEntry, fileEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { processesWith } from "../../support/leftovers.ts";
import { needs } from "../../support/needs.ts";
import { bind, busyboxFiles, noInputs, runner, runOperation } from "./run-box.ts";
import { filesOf, stepContext, temporaryStore } from "./step-context.ts";

const umask = process.umask();
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
afterAll(() => {
  process.umask(umask);
});

/** Runs a script on busybox with these files. */
async function run(
  script: string,
  change: Partial<RunOperation> = {},
  below: readonly SourceEntry[] = [],
  settings: Partial<RunSettings> = {},
) {
  const store = await temporaryStore();
  const steps = runner(store, stepContext(store), settings);
  open.push(steps, store);
  const outcome = await steps.run(runOperation(script, change), await busyboxFiles(store, below));
  const tree = await store.layers.tree(outcome.layer.diffId);
  return { lines: outcome.output.split("\n").slice(0, -1), changed: tree.entries.map(({ kind, path }) => `${kind} /${path}`), tree };
}

describe("the command of a RUN", needs("sandbox"), () => {
  it("has /dev/null for its input, and no terminal", async () => {
    const { lines } = await run("cat; ls -l /proc/self/fd/0 | grep -o '/dev/null'; test -t 0 || test -t 1 || echo none");
    expect(lines).toEqual(["/dev/null", "none"]);
  });

  it("has Docker's fourteen capabilities as root, and none as somebody else", async () => {
    const script = "grep -E 'Cap(Eff|Prm|Bnd|Amb)' /proc/self/status | tr -d '\\t'";
    expect((await run(script)).lines).toEqual([
      "CapPrm:00000000a80425fb",
      "CapEff:00000000a80425fb",
      "CapBnd:00000000a80425fb",
      "CapAmb:0000000000000000",
    ]);
    expect((await run(script, { user: "12" })).lines).toEqual([
      "CapPrm:0000000000000000",
      "CapEff:0000000000000000",
      "CapBnd:00000000a80425fb",
      "CapAmb:0000000000000000",
    ]);
  });

  it.each([0o077, 0])("has umask 022 under a caller with %s", async (mask) => {
    process.umask(mask);
    const { lines, tree } = await run("umask; echo x > /file; mkdir /directory");
    expect(lines).toEqual(["0022"]);
    expect(tree.entries.map((entry) => ("mode" in entry ? entry.mode.toString(8) : ""))).toEqual(["755", "644"]);
  });

  it.each([
    ["an exit code", "exit 7", "RUN: exit code 7"],
    ["a signal", "kill -9 $$", "RUN: killed by SIGKILL"],
    ["128 and the signal of the command, where a shell says so", "sh -c 'kill -9 $$'; exit $?", "RUN: exit code 137"],
  ])("that fails is reported with %s", async (_name, script, message) => {
    await expect(run(script)).rejects.toMatchObject({ code: "STEP_FAILED", message });
  });

  it("leaves no process behind, whatever it started", async () => {
    const { changed } = await run(
      "sleep 98765 & (setsid sleep 98765 >/dev/null 2>&1 &) ; (while :; do echo x >> /growing; done) & echo x > /done",
    );
    expect(processesWith("sleep 98765")).toEqual([]);
    expect(changed).toContain("file /done");
  });

  it("sees network files and a host name that it cannot change, and that leave no trace", async () => {
    const script = [
      // Two pipes would be read in any order.
      "exec 2>&1",
      "echo x > /etc/hosts; echo x > /etc/resolv.conf; rm /etc/hosts",
      "grep -c 10.1.2.3 /etc/hosts; hostname; hostname other",
      "stat -c %Y /etc",
    ].join("; ");
    const { lines, changed } = await run(
      script,
      {},
      [directoryEntry("etc", { mtime: 7 }), symlinkEntry("etc/resolv.conf", "../run/resolv.conf")],
      {
        addHosts: ["db:10.1.2.3"],
      },
    );
    expect(lines).toEqual([
      "/bin/sh: can't create /etc/hosts: Read-only file system",
      "/bin/sh: can't create /etc/resolv.conf: Read-only file system",
      "rm: can't remove '/etc/hosts': Device or resource busy",
      "1",
      "tsbuild",
      "hostname: sethostname: Operation not permitted",
      "7",
    ]);
    expect(changed).toEqual([]);
  });

  it("has the host name that the build gives it", async () => {
    expect((await run("hostname; grep -c 'localhost box' /etc/hosts", { hostname: "box" })).lines).toEqual(["box", "1"]);
  });

  it("keeps files of the image in the places of network files", async () => {
    const { changed } = await run("true", {}, [fileEntry("etc/hosts", "of the image\n"), fileEntry("etc/resolv.conf", "")]);
    expect(changed).toEqual([]);
  });
});

describe("the record of a RUN", needs("sandbox"), () => {
  const inputs = (digest: Digest | undefined): RunInputs => ({
    bind: () => ({
      digest: async () => digest ?? digestOf(""),
      known: async () => digest,
      open: async () => ({ layers: [], source: "/", isFile: false }),
    }),
  });
  const operation = runOperation("echo ran > /file", { mounts: [bind("/m")] });

  it("is found while what its mounts show is the same, and not when it changed", async () => {
    const store = await temporaryStore();
    const steps = runner(store, stepContext(store));
    open.push(steps, store);
    const files = await busyboxFiles(store);
    const first = await steps.run(operation, files, inputs(digestOf("a")));
    expect(first.cached).toBe(false);
    expect(await steps.run(operation, files, inputs(digestOf("a")))).toMatchObject({ cached: true, layer: first.layer });
    expect(await steps.run(operation, files, inputs(digestOf("b")))).toMatchObject({ cached: false });
    expect(await steps.run(runOperation("echo ran > /file"), files)).toMatchObject({ cached: false });
  });

  it("is looked up without running anything", async () => {
    const store = await temporaryStore();
    const context = stepContext(store);
    const steps = runner(store, context);
    open.push(steps, store);
    const files = await busyboxFiles(store);
    const lookup = (digest: Digest | undefined) => lookupRun(operation, files, context, steps.settings, inputs(digest));
    expect(await lookup(digestOf("a"))).toBeUndefined();
    const { layer } = await steps.run(operation, files, inputs(digestOf("a")));
    expect(await lookup(digestOf("a"))).toMatchObject({ cached: true, layer });
    expect(await lookup(digestOf("b"))).toBeUndefined();
    expect(await lookup(undefined)).toBeUndefined();
    const noCache = { ...context, useCache: false };
    expect(await lookupRun(operation, files, noCache, steps.settings, inputs(digestOf("a")))).toBeUndefined();
    expect(await lookupRun(runOperation("other"), await filesOf(store, []), context, steps.settings, noInputs)).toBeUndefined();
  });

  it("says so where another process runs it already, and waits", async () => {
    const store = await temporaryStore();
    const notes: string[] = [];
    const context = stepContext(store, {
      once: async (_key, work, onWait) => {
        onWait();
        return work();
      },
    });
    const steps = runner(store, context, { onNote: (message) => void notes.push(message) });
    open.push(steps, store);
    await steps.run(runOperation("true"), await busyboxFiles(store));
    expect(notes).toEqual(["RUN: waiting for another process, which builds this step"]);
  });
});
