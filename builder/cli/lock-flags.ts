import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, LockOptions } from "../options.ts";
import { defaultNames } from "../read-dockerfile.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

/** Of the build. */
export const lockFlags = {
  lock: {
    value: "FILE",
    named: true,
    help: "Write down what the Dockerfile's stages take from elsewhere: digests of images, commits, checksums; with --locked, the file that has them",
  },
  locked: { help: "Take nothing from elsewhere but what the lock file says (--lock, else the Dockerfile's path with .lock added)" },
  hermetic: { help: "As --locked, and RUN steps have no network" },
} as const satisfies FlagTable;

/**
 * What the flags say of the lock, as build() takes it. Without --lock a locked build's file stands beside the Dockerfile, as Cargo.lock and package-lock.json do. Throws
 * UsageError MISSING_VALUE where the Dockerfile is no file of the host.
 */
export function lockOptionsOf(
  { lock, locked = false, hermetic = false }: FlagValues<typeof lockFlags>,
  inputs: Pick<BuildOptions, "context" | "dockerfile">,
): { readonly lock?: LockOptions; readonly hermetic: boolean } {
  const isLocked = locked || hermetic;
  if (lock === undefined && !isLocked) return { hermetic };
  return { hermetic, lock: { file: lock ?? `${dockerfileOf(inputs, locked ? "--locked" : "--hermetic")}.lock`, locked: isLocked } };
}

/** Where nothing is built: says that a lock file was named in vain. */
export function noteUnwritten({ lock, onEvent }: Pick<BuildOptions, "lock" | "onEvent">): void {
  if (lock === undefined || lock.locked) return;
  onEvent?.({ type: "note", message: `nothing is built, and so the lock file ${lock.file} is not written` });
}

/** The Dockerfile's path on the host; where the context has none under any name, the build will say so. */
function dockerfileOf({ context, dockerfile }: Pick<BuildOptions, "context" | "dockerfile">, flag: string): string {
  const directory = typeof context === "string" ? context : context.kind === "directory" ? context.path : undefined;
  if (directory === undefined || (dockerfile !== undefined && "text" in dockerfile)) {
    throw new UsageError("MISSING_VALUE", `reading ${flag}: the Dockerfile is no file of this machine, beside which a lock file could be`, {
      hint: "name the lock file: --lock FILE",
    });
  }
  if (dockerfile !== undefined) return dockerfile.path;
  const found = defaultNames.find((name) => existsSync(join(directory, name)));
  return join(directory, found ?? defaultNames[0]);
}
