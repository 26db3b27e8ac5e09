import { copyFile, mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { helperPath } from "./binding.ts";
import { removeTree } from "./fs.ts";
import { runSandbox } from "./sandbox.ts";
import { SandboxError } from "./sandbox-error.ts";
import type { JoinedNamespace, SandboxRoot } from "./spec.ts";

/** What sandboxes are like where not everything is allowed. */
export interface SandboxForm {
  /** "copy": a plain directory with copies of the files, where no overlay can be mounted. */
  readonly root: "overlay" | "copy";
  /** "outer": /proc as this process sees it, where no new one can be mounted because parts of it are hidden. */
  readonly proc: "own" | "outer";
}

/** The best form that works, what it does without, and why better ones did not; without a form, the last refusal is final. */
export interface FoundForm {
  readonly form?: SandboxForm;
  readonly skipped: readonly SandboxError[];
  readonly refusals: readonly SandboxError[];
}

export interface FormOptions {
  /** A process whose user namespace is joined; see openNamespaceWorker. */
  readonly userNamespace?: JoinedNamespace;
}

/** The form in words; `place` is where in terms of user namespaces. */
export function describeForm({ root, proc }: SandboxForm, place: string): string {
  const what = root === "overlay" ? "overlay" : "copy of the layers";
  return `${what} ${place}${proc === "own" ? "" : ", with the outer /proc, where processes outside can be seen"}`;
}

/** Finds it out by making whole sandboxes in a scratch directory below `directory`. Leaves nothing behind. */
export async function findSandboxForm(directory: string, options: FormOptions = {}): Promise<FoundForm> {
  const refusals: SandboxError[] = [];
  for (let form: SandboxForm | undefined = { root: "overlay", proc: "own" }; form !== undefined; ) {
    const tried = await trySandbox(directory, form, options);
    if (!(tried instanceof SandboxError)) return { form, skipped: tried, refusals };
    refusals.push(tried);
    form = humbler(form, tried);
  }
  return { skipped: [], refusals };
}

function humbler(form: SandboxForm, refusal: SandboxError): SandboxForm | undefined {
  if (form.root === "overlay" && refusal.failure?.op === "--overlay") return { ...form, root: "copy" };
  if (form.proc === "own" && refusal.code === "PROC_REFUSED") return { ...form, proc: "outer" };
  return undefined;
}

/** What a sandbox that works does without, or why it does not work. */
async function trySandbox(directory: string, form: SandboxForm, options: FormOptions): Promise<readonly SandboxError[] | SandboxError> {
  const scratch = await mkdtemp(join(directory, ".probe-"));
  const at = (path: string) => join(scratch, path);
  try {
    for (const path of ["lower", "lower/dev", "lower/proc", "lower/sys", "upper", "work"]) await mkdir(at(path));
    // Static, and at hand wherever a sandbox is.
    await copyFile(helperPath(), at("lower/tsb-init"));
    const root: SandboxRoot =
      form.root === "copy" ? { directory: at("lower") } : { lowers: [at("lower")], upper: at("upper"), work: at("work") };
    const { skipped } = await runSandbox(
      {
        root,
        proc: form.proc,
        ...options,
        network: "host",
        hostname: "probe",
        mounts: [],
        files: [],
        process: { args: ["/tsb-init", "--version"], env: {}, cwd: "/", uid: 0, gid: 0, groups: [] },
      },
      { stdin: "null", output: () => {} },
    );
    return skipped;
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return error;
  } finally {
    await removeTree(scratch);
  }
}
