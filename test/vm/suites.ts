/** A user of the virtual machine who runs test files of the checkout there. */
export interface GuestSuite {
  readonly name: string;
  /** Absent: root. */
  readonly uid?: number;
  readonly files: readonly string[];
}

export const GUEST_UID = 4900;

/**
 * What a kernel, its control groups and its devices can change the outcome of. Files of one suite run side by side: one that looks for groups left
 * behind is with none that makes any. The conformance suite and the attacks are of root and of ordinary users alike.
 */
export const GUEST_SUITES: readonly GuestSuite[] = [
  { name: "an ordinary user", uid: GUEST_UID, files: ["test/e2e/delegated-limits.test.ts"] },
  { name: "an ordinary user", uid: GUEST_UID, files: ["test/e2e/network.test.ts", "test/e2e/networks-ahead.test.ts"] },
  { name: "root", files: ["command", "limits", "mounts", "view"].map((name) => `test/runtime-addon/sandbox-${name}.test.ts`) },
  {
    name: "root and ordinary users",
    files: ["test/runtime-addon/sandbox-modes.test.ts", "test/runtime-addon/sandbox-death.test.ts", "test/escape/sandbox.test.ts"],
  },
];

/** What could run there too, and runs on the host alone, which emulation makes ten times as fast and more. */
export const CUT = [
  "test/escape/sandbox-controls (compilers), image, disk",
  "test/runtime-addon/user-namespace, seccomp",
  "test/e2e/delegated-limits, network, networks-ahead as root",
  "test/e2e/rootless, run, run-mounts, kill, ladder",
  "nine tenths of the output of 10 MB",
];
