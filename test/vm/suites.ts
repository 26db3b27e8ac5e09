/** A user of the virtual machine who runs test files of the checkout there. */
export interface GuestSuite {
  readonly name: string;
  /** Absent: root. */
  readonly uid?: number;
  readonly files: readonly string[];
}

export const GUEST_UID = 4900;

/** What a kernel and its control groups can change the outcome of. */
export const GUEST_SUITES: readonly GuestSuite[] = [
  { name: "root", files: ["test/e2e/delegated-limits.test.ts", "test/runtime-addon/sandbox-limits.test.ts"] },
  { name: "an ordinary user", uid: GUEST_UID, files: ["test/e2e/delegated-limits.test.ts"] },
];

/** What runs on the host alone, since emulation would take more than ten minutes for all. */
export const CUT = ["test/runtime-addon/sandbox-* but for the limits", "test/runtime-addon/user-namespace", "test/e2e/rootless, run, run-mounts, kill"];
