import { DEFAULT_SHM_BYTES } from "../../runtime-addon/index.ts";
import type { GivenMount } from "../image-container.ts";
import type { Json } from "./json.ts";

export interface BundleMounts {
  readonly given: readonly GivenMount[];
  readonly shmSizeBytes?: number;
  /** The runtime is not root's: it makes a user namespace with one id. */
  readonly rootless: boolean;
  readonly network: "none" | "host";
}

/** Files of the bundle that stand for the container's own. */
export const bundledFiles = { hosts: "/etc/hosts", "resolv.conf": "/etc/resolv.conf" } as const;

/** `mounts` of config.json: what every container has (runtime-spec, config-linux.md, "Default Filesystems"), and what it was given. */
export function bundleMounts({ given, shmSizeBytes = DEFAULT_SHM_BYTES, rootless, network }: BundleMounts): readonly Json[] {
  const noDevices = ["nosuid", "noexec", "nodev"];
  return [
    mount("/proc", "proc", "proc", noDevices),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    // The group of terminals is none of the ids there.
    mount("/dev/pts", "devpts", "devpts", [
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      ...(rootless ? [] : ["gid=5"]),
    ]),
    mount("/dev/shm", "tmpfs", "shm", [...noDevices, "mode=1777", `size=${shmSizeBytes}`]),
    mount("/dev/mqueue", "mqueue", "mqueue", noDevices),
    // Who owns no network namespace may mount no sysfs.
    rootless && network === "host"
      ? mount("/sys", "none", "/sys", ["rbind", ...noDevices, "ro"])
      : mount("/sys", "sysfs", "sysfs", [...noDevices, "ro"]),
    ...(rootless ? [] : [mount("/sys/fs/cgroup", "cgroup", "cgroup", [...noDevices, "relatime", "ro"])]),
    ...Object.entries(bundledFiles).map(([source, target]) => mount(target, "bind", source, ["bind", "rprivate", "nosuid", "nodev", "ro"])),
    ...given.map(givenMount),
  ];
}

function givenMount(given: GivenMount): Json {
  if (given.kind === "host") {
    const { source, target, readOnly, recursive = true } = given;
    // "ro" alone leaves what is mounted below writable.
    return mount(target, "bind", source, [
      recursive ? "rbind" : "bind",
      "rprivate",
      "nodev",
      ...(readOnly ? [recursive ? "rro" : "ro"] : []),
    ]);
  }
  const { target, sizeBytes, mode = 0o1777, uid, gid, readOnly, noExec } = given;
  return mount(target, "tmpfs", "tmpfs", [
    "nosuid",
    "nodev",
    `mode=${mode.toString(8)}`,
    ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
    ...(uid === undefined ? [] : [`uid=${uid}`]),
    ...(gid === undefined ? [] : [`gid=${gid}`]),
    ...(noExec === true ? ["noexec"] : []),
    ...(readOnly === true ? ["ro"] : []),
  ]);
}

function mount(destination: string, type: string, source: string, options: readonly string[]): Json {
  return { destination, type, source, options };
}
