import type { Mutation } from "../support/mutant.ts";

/**
 * Defences taken out, so that an attack can be seen to reach the host without them. What is independent is out together: each attack
 * meets one of them only.
 */
export const WITHOUT: Readonly<Record<"walls" | "processes" | "plan", readonly Mutation[]>> = {
  // Of the helper: paths of the image are followed out of its root; device files can be opened; what is inherited stays open; nothing is read-only,
  // nor hidden; the first process can be looked into; /dev may be filled.
  walls: [
    {
      file: "runtime-addon/src/init/resolve.cc",
      from: "how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;",
      to: "how.resolve = resolve;",
    },
    { file: "runtime-addon/src/init/overlay.cc", from: "flags = MS_NODEV |", to: "flags =" },
    { file: "runtime-addon/src/init/main.cc", from: "sys::close_range(kMessages + 1, ~0U, 0) < 0", to: "false" },
    { file: "runtime-addon/src/init/command.cc", from: "sys::close_range(3, ~0U, sys::kCloseOnExec) < 0", to: "false" },
    { file: "runtime-addon/src/init/init.cc", from: "prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0", to: "false" },
    {
      file: "runtime-addon/src/init/mounts.cc",
      from: 'copy_tree(place.get(), "", AT_EMPTY_PATH, kInert | MOUNT_ATTR_RDONLY, true, tree)',
      to: 'copy_tree(place.get(), "", AT_EMPTY_PATH, kInert, true, tree)',
    },
    { file: "runtime-addon/src/init/devices.cc", from: '{"size", "65536k"}', to: '{"size", "90m"}' },
  ],
  // Of the helper: processes and the network are the host's.
  processes: [
    {
      file: "runtime-addon/src/init/namespaces.cc",
      from: "CLONE_NEWPID | CLONE_NEWIPC",
      to: "CLONE_NEWIPC",
    },
    { file: "runtime-addon/src/init/namespaces.cc", from: "if (new_network) flags |= CLONE_NEWNET;", to: "" },
    // Settings of the network would be the host's.
    {
      file: "runtime-addon/sandbox-plan.ts",
      from: 'if (network === "host" || proc === "outer") return [];',
      to: "if (network !== undefined || proc) return [];",
    },
  ],
  // Of the plan: all system calls, and the capability that mounts; nothing is moved into the control groups; networks lie behind nothing.
  plan: [
    {
      file: "runtime-addon/sandbox-plan.ts",
      from: 'return profile === "unconfined" ? []',
      to: "return profile !== undefined ? []",
    },
    {
      file: "runtime-addon/capabilities.ts",
      from: "export const DEFAULT_CAPABILITIES: readonly string[] = [",
      to: 'export const DEFAULT_CAPABILITIES: readonly string[] = ["SYS_ADMIN", ',
    },
    {
      file: "runtime-addon/cgroup.ts",
      from: 'await writeFile(join(directory, "cgroup.procs"), String(pid));',
      to: "void [directory, pid];",
    },
    {
      file: "runtime-addon/sandbox-network.ts",
      from: "const isDirect = direct || publish.length > 0;",
      to: "const isDirect = direct || publish !== undefined;",
    },
  ],
};
