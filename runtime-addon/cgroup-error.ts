import { SandboxError } from "./sandbox-error.ts";
import { isSystemError } from "./system-error.ts";

const delegated =
  "build without this limit, as root, or in a session whose control groups are delegated (systemd-run --user --scope -p Delegate=yes)";

/** LIMIT_UNAVAILABLE: which limit, what was tried for it and what the kernel said. */
export function unavailable(limit: string, what: string, cause?: unknown, hint = remedyFor(cause)): SandboxError {
  const reason = isSystemError(cause) ? `: ${cause.code}` : "";
  return new SandboxError("LIMIT_UNAVAILABLE", `setting the limit ${limit}: ${what}${reason}`, {
    ...(cause !== undefined && { cause }),
    hint,
  });
}

function remedyFor(cause: unknown): string {
  if (isSystemError(cause, "ENOENT"))
    return "build without this limit: the kernel of this machine, or its version of the control groups, has none such";
  if (isSystemError(cause, "EINVAL", "ERANGE", "ENODEV", "EOPNOTSUPP"))
    return "the kernel does not take this value: name what the machine has (processors, memory nodes, the device of a whole disk), and of each as much as it has";
  return delegated;
}
