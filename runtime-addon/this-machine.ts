import { arch, release } from "node:os";
import { SandboxError } from "./sandbox-error.ts";
import type { Machine } from "./seccomp/machine.ts";

/** What decides about filters here. Throws SandboxError SECCOMP_UNSUPPORTED for a processor whose system calls are not known. */
export function thisMachine(): Machine {
  const architecture = arch();
  if (architecture !== "x64" && architecture !== "arm64")
    throw new SandboxError(
      "SECCOMP_UNSUPPORTED",
      `making the filter of system calls: those of the processor ${architecture} are not known`,
    );
  const [major = 0, minor = 0] = release()
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  return { architecture, kernel: [major, minor] };
}
