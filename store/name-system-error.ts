import { isSystemError, type SystemError, systemErrorCode, systemErrorMessage } from "../runtime-addon/index.ts";
import { TsbuildError } from "./errors.ts";

interface Naming {
  readonly code: string;
  readonly hint: string;
}

const elsewhere = "use another store: --store DIR or $TSBUILD_ROOT";
export const unsuitableHint = `put it on a file system of Linux's own (ext4, xfs, btrfs, tmpfs): --store DIR or $TSBUILD_ROOT`;
export const fullHint = `make room on its file system (tsbuild prune --keep-storage 0 gives back all cache), or ${elsewhere}`;
const full: Naming = { code: "STORE_FULL", hint: fullHint };
const unsuitable: Naming = { code: "STORE_UNSUITABLE", hint: unsuitableHint };
const inaccessible: Naming = { code: "STORE_INACCESSIBLE", hint: `give this user the right to it, or ${elsewhere}` };

/** errno(3): what a store's own files can meet that is no fault of the program's. */
const storeNamings: Readonly<Record<string, Naming>> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: { code: "STORE_READ_ONLY", hint: `mount its file system writable, or ${elsewhere}` },
  ENOTSUP: unsuitable,
  EOPNOTSUPP: unsuitable,
  ENOLCK: unsuitable,
  ENOSYS: unsuitable,
  EACCES: inaccessible,
  EPERM: inaccessible,
  ESTALE: { code: "STORE_FAILING", hint: `its server gave up that file: mount it again; ${elsewhere}` },
  EIO: { code: "STORE_FAILING", hint: `its file system or disk fails: dmesg says more; ${elsewhere}` },
  ENOENT: { code: "STORE_DAMAGED", hint: `another program removed or never wrote that file; ${elsewhere}` },
};

const openFiles: Readonly<Record<string, Naming>> = {
  EMFILE: { code: "TOO_MANY_FILES", hint: "raise this process's limit of open files: ulimit -n 65536" },
  ENFILE: { code: "TOO_MANY_FILES", hint: "raise the machine's limit of open files: sysctl -w fs.file-max=1000000" },
};

/** Elsewhere a missing file may well be the program's own mistake, which must show as one. */
const othersNamed: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE"]);

/** A write to an open file tells no path; what this program writes so without a name of its own for the error is the store's. */
const withoutPath: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE"]);

export interface NamingOptions {
  /** What was being done with the store; absent: using it. */
  readonly doing?: string;
  /** Whatever the path, it is on the way to the store. */
  readonly anyPath?: boolean;
}

/**
 * What the system refused, as an error with a name and a hint: STORE_FULL, STORE_READ_ONLY, STORE_INACCESSIBLE, STORE_FAILING, STORE_UNSUITABLE and STORE_DAMAGED
 * for files of the store at `root` (absent: there is none), TOO_MANY_FILES, and SYSTEM_ERROR for other files. Any other error comes back as it is.
 */
export function nameSystemError(
  error: unknown,
  root: string | undefined,
  { doing = "using", anyPath = false }: NamingOptions = {},
): unknown {
  if (!isSystemError(error)) return error;
  const [code, message] = [systemErrorCode(error), systemErrorMessage(error)];
  const limit = openFiles[code];
  if (limit !== undefined) return named(limit.code, `opening a file: ${message}`, error, limit.hint);
  if (root !== undefined && (anyPath || isOfStore(error, root))) {
    const naming = storeNamings[code];
    return naming === undefined ? error : named(naming.code, `${doing} the store ${root}: ${message}`, error, naming.hint);
  }
  if (!othersNamed.has(code)) return error;
  return named("SYSTEM_ERROR", `using ${error.path ?? "an open file"}: ${message}`, error);
}

function isOfStore(error: SystemError, root: string): boolean {
  const { syscall, path, dest } = error;
  // Locks are asked for by flock(2) and fcntl(2), which tell no path either.
  if (path === undefined) return withoutPath.has(systemErrorCode(error)) || syscall === "flock" || syscall === "fcntl";
  return [path, dest].some((file) => file === root || file?.startsWith(root.endsWith("/") ? root : `${root}/`));
}

function named(code: string, message: string, cause: Error, hint?: string): TsbuildError {
  return new TsbuildError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
}
