import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type * as Runtime from "../../../runtime-addon/index.ts";
import type { SandboxAnswer, SandboxRequest } from "./protocol.ts";

/**
 * Makes sandboxes for whoever writes requests to standard input, a line of JSON each, and answers on standard output: so a test has them made by
 * another user, or by a changed program. Arguments: how ("direct", "copy", "mapped", "worker"), the directory for everything, and that of a root file system.
 */
export async function serve(runtime: typeof Runtime): Promise<void> {
  const [how = "", base = "", system = ""] = process.argv.slice(2);
  if (how === "in-namespace") return runtime.serveNamespaceWorker({});
  const held = await openNamespace(runtime, how);
  const userNamespace = held === undefined ? {} : { userNamespace: { pid: held.pid, ...(how === "mapped" ? { mapped: base } : {}) } };
  const running: Promise<void>[] = [];
  console.log("{}");
  for await (const line of createInterface({ input: process.stdin })) {
    const request: SandboxRequest = JSON.parse(line);
    running.push(answer(request).then((reply) => console.log(JSON.stringify({ id: request.id, ...reply }))));
  }
  await Promise.all(running);
  await held?.close();

  async function answer(request: SandboxRequest): Promise<Omit<SandboxAnswer, "id">> {
    const { root, changed } = rootOf(request.lowers);
    try {
      const { group } = await runtime.openCgroup(request.limits ?? {});
      try {
        const limited = group === undefined ? {} : { cgroup: group };
        const own = request.isolated === undefined ? undefined : await openNetwork();
        try {
          const network = own ?? request.spec.network;
          return { upper: changed, result: await run(request, { ...request.spec, root, network, ...userNamespace, ...limited }) };
        } finally {
          await own?.close();
        }
      } finally {
        await group?.close();
      }
    } catch (error) {
      const { code, message, failure, name } = error as Runtime.SandboxError;
      return { upper: changed, error: { name, code, message, ...(failure === undefined ? {} : { failure }) } };
    }
  }

  function openNetwork(): Promise<Runtime.SandboxNetwork> {
    const program = runtime.findPasta();
    if (program === undefined) throw new Error("pasta is not installed");
    return runtime.openNetwork({ program, hostLoopback: true, ...userNamespace });
  }

  async function run(request: SandboxRequest, spec: Runtime.SandboxSpec): Promise<NonNullable<SandboxAnswer["result"]>> {
    const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
    const text = (stream: "stdout" | "stderr") => Buffer.concat(output[stream]).toString("utf8");
    const controller = new AbortController();
    const { abort, initPath } = request;
    const io = {
      stdin: "null",
      output: (chunk: Uint8Array, stream: "stdout" | "stderr") => {
        output[stream].push(chunk);
        if (abort !== undefined && stream === "stdout" && text(stream).includes(abort.when)) controller.abort(new Error("aborted"));
      },
    } as const;
    const { status, usage, created, skipped } = await runtime.runSandbox(spec, io, {
      signal: controller.signal,
      ...(abort?.graceMs === undefined ? {} : { graceMs: abort.graceMs }),
      ...(initPath === undefined ? {} : { initPath }),
    });
    return { status, usage, created, skipped: skipped.map(({ message }) => message), stdout: text("stdout"), stderr: text("stderr") };
  }

  function rootOf(lowers: readonly string[]): { readonly root: Runtime.SandboxRoot; readonly changed: string } {
    const scratch = mkdtempSync(join(base, "scratch-"));
    const upper = join(scratch, "upper");
    mkdirSync(upper, { mode: 0o755 });
    if (how === "copy") {
      for (const lower of [system, ...lowers.toReversed()]) execFileSync("cp", ["-a", "--remove-destination", `${lower}/.`, upper]);
      return { root: { directory: upper }, changed: upper };
    }
    const work = join(scratch, "work");
    mkdirSync(work);
    return { root: { lowers: [...lowers, system], upper, work }, changed: upper };
  }
}

async function openNamespace(runtime: typeof Runtime, how: string): Promise<{ readonly pid: number; close(): Promise<void> } | undefined> {
  if (how === "mapped") return runtime.openUserNamespace(runtime.readAutoMap());
  if (how !== "worker") return undefined;
  return runtime.openNamespaceWorker({ map: runtime.readIdMap(), script: process.argv[1] ?? "", args: ["in-namespace"] });
}
