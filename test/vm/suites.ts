/** A user of the virtual machine who runs test files of the checkout there. */
export interface GuestSuite {
  readonly name: string;
  /** Absent: root. */
  readonly uid?: number;
  readonly files: readonly string[];
}

export const GUEST_UID = 4900;

/** What a kernel and its control groups can change the outcome of. Files of one suite run side by side: one that looks for groups left behind is alone. */
export const GUEST_SUITES: readonly GuestSuite[] = [
  { name: "an ordinary user", uid: GUEST_UID, files: ["test/e2e/delegated-limits.test.ts"] },
  { name: "root", files: ["command", "limits", "mounts", "view"].map((name) => `test/runtime-addon/sandbox-${name}.test.ts`) },
];

/** What could run there too, and runs on the host alone: emulation takes a quarter of a minute for each command of tsbuild. */
export const CUT = [
  "test/runtime-addon/sandbox-death, user-namespace",
  "test/e2e/delegated-limits as root",
  "test/e2e/rootless, run, run-mounts, kill, ladder, network",
];
