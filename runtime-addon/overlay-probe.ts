import { copyFile, mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { helperPath } from "./binding.ts";
import { removeTree } from "./fs.ts";
import { runSandbox } from "./sandbox.ts";
import { SandboxError } from "./sandbox-error.ts";

/** Whether something works here, found out by trying. */
export interface Probe {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or why not, in a sentence. */
  readonly detail: string;
  readonly remedy?: string;
  /** False where it does not matter that this does not work: something else does what it would be for. Absent otherwise. */
  readonly needed?: false;
}

/** Tries a whole sandbox on an overlay in a scratch directory below `directory`; in a process's user namespace, where one is given. */
export async function probeOverlay(directory: string, options: { readonly userNamespace?: { readonly pid: number } } = {}): Promise<Probe> {
  const name = options.userNamespace === undefined ? "overlay" : "overlay in a user namespace";
  const scratch = await mkdtemp(join(directory, ".probe-"));
  const lower = join(scratch, "lower");
  try {
    for (const path of ["lower", "lower/dev", "lower/proc", "lower/sys", "upper", "work"]) await mkdir(join(scratch, path));
    // Static, and at hand wherever a sandbox is.
    await copyFile(helperPath(), join(lower, "tsb-init"));
    await runSandbox(
      {
        root: { lowers: [lower], upper: join(scratch, "upper"), work: join(scratch, "work") },
        ...options,
        network: "host",
        hostname: "probe",
        mounts: [],
        files: [],
        process: { args: ["/tsb-init", "--version"], env: {}, cwd: "/", uid: 0, gid: 0, groups: [] },
      },
      { stdin: "null", output: () => {} },
    );
    return { name, ok: true, detail: `works in ${directory}` };
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { name, ok: false, detail: error.message, ...(error.hint !== undefined && { remedy: error.hint }) };
  } finally {
    await removeTree(scratch);
  }
}
