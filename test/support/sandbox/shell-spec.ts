import type { SandboxProcess, SandboxSpec } from "../../../runtime-addon/index.ts";

export type ShellChanges = Omit<Partial<SandboxSpec>, "process" | "root"> & { readonly process?: Partial<SandboxProcess> };

/** A shell script as root of a busybox system without network, and what a test changes of that. */
export function shellSpec(script: string, { process, ...changes }: ShellChanges): Omit<SandboxSpec, "root"> {
  return {
    network: "none",
    hostname: "box",
    mounts: [],
    files: [],
    ...changes,
    process: {
      args: ["sh", "-c", script],
      env: { PATH: "/bin:/sbin:/usr/bin:/usr/sbin" },
      cwd: "/",
      uid: 0,
      gid: 0,
      groups: [],
      ...process,
    },
  };
}
