import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../command.ts";

/** Runs podman with these arguments; returns stdout, throws with all output when it fails. */
export type Podman = (...args: readonly string[]) => Promise<string>;

/** A podman whose images and settings are all in `directory`, and whose mounts nobody sees. Needs root. */
export function podmanIn(directory: string): Podman {
  const at = (name: string) => join(directory, name);
  mkdirSync(at("run"));
  const places = ["--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp")];
  const podman = ["podman", ...places, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: directory, XDG_RUNTIME_DIR: at("run") };
  return (...args) => mustRun(["unshare", "--mount", "--propagation", "private", "--", ...podman, ...args], { env });
}
