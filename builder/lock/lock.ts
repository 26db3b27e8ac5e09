import { dirname, resolve } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import type { LockOptions } from "../options.ts";
import { describeEntry, entryKey, type LockEntry } from "./lock-entry.ts";
import { readLockFile, refuseUnwritable, writeLockFile } from "./lock-file.ts";
import { lockedImageName, lockedUrl } from "./locked-names.ts";

/**
 * Hears of everything that a build takes from elsewhere. Where the build is locked each call throws LOCK_DRIFT (with what is locked and what is there now) or
 * NOT_LOCKED, before any of it is used.
 */
export interface Lock {
  /** Whether only what is locked may be taken. */
  readonly isLocked: boolean;
  /** The file that save() writes; absent where it writes none. */
  readonly written?: string;
  /**
   * `name` as written, `platform` as wanted; `digest` is of the platform's manifest: as the registry has it, or, of an image that was imported, loaded or built here, as the store
   * has it.
   */
  image(name: string, platform: Platform, digest: string): void;
  /** `ref` as written, absent for HEAD; `commit` is full. */
  git(remote: string, ref: string | undefined, commit: string): void;
  /** `url` with its query; `digest` is of the file. */
  http(url: string, digest: string): void;
  /** What was heard so far, in no particular order. */
  entries(): readonly LockEntry[];
  /**
   * Writes the file, if it is to be written: what was heard, and of what the file has what is for other platforms of the same images. Whatever else it has goes where all that the
   * Dockerfile can take was heard (`isWhole`), and stays otherwise. Call it when the build has succeeded. Throws WRITE_FAILED.
   */
  save(heard: { readonly isWhole: boolean }): Promise<void>;
}

/** Whether an error says that something is not as it is locked. */
export function isLockError(error: unknown): boolean {
  return error instanceof TsbuildError && (error.code === "LOCK_DRIFT" || error.code === "NOT_LOCKED");
}

/**
 * The lock of one build. A file that is there must be a lock file also where it is to be replaced, so that a wrong path costs nothing. A build that is hermetic is
 * locked in any case, without a file to nothing. Throws LOCK_INVALID, WRITE_FAILED.
 */
export async function openLock(options: LockOptions | undefined, hermetic: boolean): Promise<Lock> {
  const isLocked = hermetic || options?.locked === true;
  const found = options === undefined ? undefined : await (isLocked ? readLockFile(options.file) : readReplaced(options.file));
  if (options !== undefined && !isLocked) refuseUnwritable(options.file);
  const heard = new Map<string, LockEntry>();
  const check = isLocked ? checker(found, options?.file) : () => undefined;
  const directory = options === undefined ? "/" : dirname(resolve(options.file));

  const hear = (entry: LockEntry): void => {
    check(entry);
    const key = entryKey(entry);
    const before = heard.get(key);
    if (before !== undefined && before.value !== entry.value) throw changing(before, entry);
    heard.set(key, entry);
  };

  return {
    isLocked,
    ...(options === undefined || isLocked ? {} : { written: options.file }),
    image: (name, platform, value) => hear({ kind: "images", name: lockedImageName(name, directory), of: platformText(platform), value }),
    git: (name, ref = "HEAD", value) => hear({ kind: "git", name, of: ref, value }),
    http: (url, value) => hear({ kind: "http", name: lockedUrl(url), of: "", value }),
    entries: () => [...heard.values()],
    async save({ isWhole }) {
      if (options === undefined || isLocked) return;
      // Read again: another build may have written it meanwhile.
      const now = (await readReplaced(options.file)) ?? [];
      const others = now.filter((entry) => !heard.has(entryKey(entry)));
      await writeLockFile(options.file, [...heard.values(), ...(isWhole ? otherPlatforms(others, heard) : others)]);
    },
  };
}

/** What a file has that will be written. */
async function readReplaced(file: string): Promise<readonly LockEntry[] | undefined> {
  try {
    return await readLockFile(file);
  } catch (error) {
    if (!(error instanceof TsbuildError) || error.hint !== undefined || isSystemError(error.cause)) throw error;
    const hint = `${file} is no lock file, and would be replaced: name another`;
    throw new TsbuildError(error.code, error.message, { cause: error.cause, hint });
  }
}

/** Those of images that this build used as well, but for other platforms. */
function otherPlatforms(others: readonly LockEntry[], heard: ReadonlyMap<string, LockEntry>): readonly LockEntry[] {
  const used = new Set([...heard.values()].flatMap(({ kind, name }) => (kind === "images" ? [name] : [])));
  return others.filter(({ kind, name }) => kind === "images" && used.has(name));
}

function checker(found: readonly LockEntry[] | undefined, file: string | undefined): (entry: LockEntry) => void {
  const locked = new Map(found?.map((entry) => [entryKey(entry), entry]));
  return (entry) => {
    const known = locked.get(entryKey(entry));
    if (known === undefined) throw notLocked(entry, found, file);
    if (known.value !== entry.value) throw drift(known, entry, file ?? "");
  };
}

function drift(locked: LockEntry, now: LockEntry, file: string): TsbuildError {
  return new TsbuildError(
    "LOCK_DRIFT",
    `checking ${describeEntry(now)} against the lock file ${file}: locked is ${locked.value}, and now it is ${now.value}`,
    { hint: `if that is meant, accept it: --lock ${file} without --locked and --hermetic writes what is there now` },
  );
}

function notLocked(entry: LockEntry, found: readonly LockEntry[] | undefined, file: string | undefined): TsbuildError {
  const others = found?.filter(({ kind, name }) => kind === entry.kind && name === entry.name).map(({ of }) => of) ?? [];
  const problem =
    file === undefined
      ? "a hermetic build takes only what is locked, and it has no lock file"
      : found === undefined
        ? `there is no lock file ${file}`
        : others.length > 0
          ? `the lock file ${file} has it for ${others.join(", ")} only`
          : `the lock file ${file} does not have it`;
  return new TsbuildError("NOT_LOCKED", `checking ${describeEntry(entry)}: ${problem}; now it is ${entry.value}`, {
    hint: `--lock ${file ?? "FILE"} without --locked and --hermetic writes it`,
  });
}

/** A lock could hold only one of them, and the image would have both. */
function changing(before: LockEntry, now: LockEntry): TsbuildError {
  return new TsbuildError("LOCK_DRIFT", `checking ${describeEntry(now)}: first it was ${before.value}, and now it is ${now.value}`, {
    hint: "it changed while the build went on: build again",
  });
}
