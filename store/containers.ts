import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { isSystemError, lockFile, removeTree, renameNoReplace } from "../runtime-addon/index.ts";
import { writeFileAtomically, writeTempFile } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import { NotFoundError, TsbuildError } from "./errors.ts";
import { moveToTrash } from "./gc/trash.ts";
import { readIfThere } from "./if-there.ts";
import type { OwnerMode } from "./layer-directories.ts";
import type { ImageConfig } from "./oci.ts";
import { maxConfigBytes } from "./oci-parse.ts";
import type { LayerRef } from "./open-rootfs.ts";
import { openIfRegular, openIfThere, openRegular, readRegular } from "./regular-file.ts";
import type { Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

/** What is known of a container whose files are kept, from its start on. Variables and mounts of the command line are not among it. */
export interface KeptContainer {
  /** As typed. */
  readonly image: string;
  /** Of the image for its platform. */
  readonly manifestDigest: Digest;
  /** RFC 3339. */
  readonly created: string;
  readonly args: readonly string[];
  /** How the owners of its files stand on disk. */
  readonly owners: OwnerMode;
  /** What it stands on, bottom first. */
  readonly layers: readonly LayerRef[];
  /** The image's, with what the command line said of command, user and directory. */
  readonly config: ImageConfig;
  /** Its record was damaged: what is not known any more is empty here, and it stands on nothing. */
  readonly isDamaged?: true;
}

/** How a container ended. */
export interface ContainerEnd {
  /** As a shell reports it. */
  readonly exitCode: number;
  /** RFC 3339. */
  readonly ended: string;
  /** Mount points that the sandbox had to make in its files. */
  readonly created: readonly string[];
}

export interface ListedContainer extends KeptContainer {
  readonly name: string;
  /** Below it, `upper` holds what the command changed. */
  readonly directory: string;
  /** "lost": whoever ran it was killed; "damaged": nothing but its files is left. */
  readonly state:
    | { readonly kind: "lost" | "damaged" }
    /** `pid`: of the tsbuild that runs it, as that one sees itself; absent where another works on its files. */
    | { readonly kind: "running"; readonly pid?: number }
    | ({ readonly kind: "exited" } & ContainerEnd);
}

/** A kept container whose record cannot be read. */
export interface DamagedContainer {
  readonly name: string;
  readonly problem: "its record is damaged" | "its record is missing" | "its lock is no file";
  readonly directory: string;
  readonly isRunning: boolean;
  readonly error: TsbuildError;
}

/** A kept container that nobody else can start, read or remove meanwhile. */
export interface HeldContainer extends AsyncDisposable {
  readonly directory: string;
  /** Writes down how it ended. */
  end(end: ContainerEnd): Promise<void>;
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** Throws INVALID_VALUE for what cannot be the name of a container. */
export function checkContainerName(name: string): void {
  if (namePattern.test(name)) return;
  throw new TsbuildError(
    "INVALID_VALUE",
    `naming the container ${JSON.stringify(name)}: a name has letters, digits, "_", "." and "-", begins with a letter or digit and ends before the 129th`,
  );
}

/** Takes a name for a new container, in one rename; it is held until it is disposed of. Throws CONTAINER_EXISTS. */
export async function createContainer(store: Store, name: string, container: KeptContainer): Promise<HeldContainer> {
  checkContainerName(name);
  const staged = await store.tempFile("kept");
  mkdirSync(staged, { mode: 0o700 });
  await writeTempFile(join(staged, recordName), canonicalJson(container), { sync: true });
  const fd = openSync(join(staged, lockName), constants.O_RDWR | constants.O_CREAT, 0o600);
  const directory = join(storePaths.containers(store.root), name);
  try {
    await lockFile(fd, "exclusive", { wait: false });
    writeSync(fd, `${process.pid}\n`);
    mkdirSync(storePaths.containers(store.root), { recursive: true, mode: 0o700 });
    renameNoReplace(staged, directory);
  } catch (error) {
    closeSync(fd);
    await removeTree(staged);
    if (!isSystemError(error, "EEXIST", "ENOTEMPTY")) throw error;
    throw new TsbuildError("CONTAINER_EXISTS", `keeping the container ${name}: there is one of that name`, {
      hint: `tsbuild rm ${name} removes it, tsbuild commit ${name} IMAGE makes an image of it`,
    });
  }
  return held(store, directory, fd);
}

/** Holds a container that does not run. Throws NotFoundError, CONTAINER_RUNNING. */
export async function holdContainer(store: Store, name: string): Promise<HeldContainer & { readonly container: ListedContainer }> {
  const container = readContainer(store.root, name);
  if (container === undefined) {
    throw new NotFoundError(`looking for the container ${JSON.stringify(name)}: none of that name is kept`, {
      hint: "tsbuild ps lists them; tsbuild run --keep NAME IMAGE keeps one",
    });
  }
  const fd = openRegular(join(container.directory, lockName), constants.O_RDWR | constants.O_CREAT, 0o600);
  if (await lockFile(fd, "exclusive", { wait: false })) {
    // Whoever ran it is no more.
    ftruncateSync(fd);
    return { container, ...held(store, container.directory, fd) };
  }
  closeSync(fd);
  const pid = runnerOf(container.directory);
  throw new TsbuildError("CONTAINER_RUNNING", `taking the container ${name}: it is running, or another tsbuild works on it`, {
    hint: `end its command first${pid === undefined ? "" : `: kill ${pid}`}, or tsbuild rm --force ${name}`,
  });
}

/** Takes it off the list: its directory moves to a path of the store where nothing is, for the caller to remove. */
export function discardContainer({ directory }: HeldContainer, to: string): void {
  renameSync(directory, to);
}

/**
 * All kept containers, oldest first. Where the record of one cannot be read nobody knows what it needs: `onDamaged` is told, and it is left out; without it, throws
 * INVALID_DOCUMENT.
 */
export async function listContainers(root: string, onDamaged?: (damaged: DamagedContainer) => void): Promise<readonly ListedContainer[]> {
  const listed: ListedContainer[] = [];
  for (const name of namesOf(root)) {
    try {
      const found = readContainer(root, name);
      if (found !== undefined) listed.push((await isRunning(found)) ? { ...found, state: runningState(found.directory) } : found);
    } catch (error) {
      if (onDamaged === undefined || !(error instanceof TsbuildError)) throw error;
      const directory = join(storePaths.containers(root), name);
      onDamaged({ name, problem: damageOf(directory), directory, error, isRunning: await isHeld(directory) });
    }
  }
  return listed.sort((a, b) => (a.created < b.created ? -1 : 1));
}

/**
 * Gives a container whose record cannot be read one of what is still known: its files stay, to be looked at and removed, and what it stood on is let go. Nothing happens to one that runs, is
 * whole or is gone.
 */
export async function salvageContainer(store: Pick<Store, "root" | "tempFile">, name: string): Promise<void> {
  const directory = join(storePaths.containers(store.root), name);
  // What stands in a file's place is nobody's of us; what it leads to is none of ours.
  for (const file of [lockName, recordName]) if (isIrregularAt(join(directory, file))) moveToTrash(store.root, join(directory, file));
  const fd = openIfThere(join(directory, lockName), constants.O_RDWR | constants.O_CREAT, 0o600);
  if (fd === undefined) return;
  try {
    if (!(await lockFile(fd, "exclusive", { wait: false }))) return;
    const record = readJson(join(directory, recordName));
    if (isRecord(record)) return;
    const rest = canonicalJson(restOf(record, statSync(directory).mtime));
    await writeFileAtomically(await store.tempFile("container"), join(directory, recordName), rest, { sync: true });
  } finally {
    closeSync(fd);
  }
}

const [recordName, endName] = ["container.json", "end.json"];

/** Far more than a config and a command line have. */
const maxRecordBytes = 4 * maxConfigBytes;

/** Held by whoever runs a container or works on it. */
export const lockName = "lock";

function held(store: Store, directory: string, fd: number): HeldContainer {
  return {
    directory,
    end: async (end) => writeFileAtomically(await store.tempFile("end"), join(directory, endName), canonicalJson(end), { sync: true }),
    [Symbol.asyncDispose]: async () => closeSync(fd),
  };
}

function namesOf(root: string): readonly string[] {
  try {
    const entries = readdirSync(storePaths.containers(root), { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() && namePattern.test(entry.name) ? [entry.name] : []));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

function readContainer(root: string, name: string): ListedContainer | undefined {
  checkContainerName(name);
  const directory = join(storePaths.containers(root), name);
  // Of a link a container's files would be somebody else's.
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const record = readJson(join(directory, recordName));
  // A directory and its record come and go in one rename.
  if (record === undefined && !existsSync(directory)) return undefined;
  if (!isRecord(record) || isIrregularAt(join(directory, lockName)))
    throw new TsbuildError("INVALID_DOCUMENT", `reading the container ${name}: ${damageOf(directory)}`, {
      hint: `tsbuild verify --repair leaves its files alone of it, and tsbuild rm ${name} removes them then; they are in ${join(directory, "upper")}`,
    });
  const end = readJson(join(directory, endName));
  if (record.isDamaged === true) return { ...record, name, directory, state: { kind: "damaged" } };
  return { ...record, name, directory, state: isEnd(end) ? { kind: "exited", ...end } : { kind: "lost" } };
}

function damageOf(directory: string): DamagedContainer["problem"] {
  if (isIrregularAt(join(directory, lockName))) return "its lock is no file";
  return existsSync(join(directory, recordName)) ? "its record is damaged" : "its record is missing";
}

function isIrregularAt(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === false;
}

async function isRunning({ directory, state }: ListedContainer): Promise<boolean> {
  return state.kind !== "exited" && isHeld(directory);
}

async function isHeld(directory: string): Promise<boolean> {
  // Through anything but a file nobody of us holds it.
  const fd = openIfRegular(join(directory, lockName), constants.O_RDONLY);
  if (fd === undefined) return false;
  try {
    return !(await lockFile(fd, "shared", { wait: false }));
  } finally {
    closeSync(fd);
  }
}

function runningState(directory: string): ListedContainer["state"] {
  const pid = runnerOf(directory);
  return { kind: "running", ...(pid === undefined ? {} : { pid }) };
}

function runnerOf(directory: string): number | undefined {
  const text = readIfThere(join(directory, lockName))?.toString() ?? "";
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

/** Undefined where there is none; null for what is no JSON, no regular file or longer than any that we write. */
function readJson(path: string): unknown {
  try {
    const tooLong = () => new TsbuildError("TOO_LARGE", `reading ${path}: it is longer than ${maxRecordBytes} bytes`);
    const bytes = readRegular(path, maxRecordBytes, tooLong);
    return bytes === undefined ? undefined : JSON.parse(bytes.toString());
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TsbuildError) return null;
    throw error;
  }
}

function isRecord(value: unknown): value is KeptContainer {
  if (typeof value !== "object" || value === null) return false;
  const { image, manifestDigest, created, args, owners, layers, config } = value as Record<keyof KeptContainer, unknown>;
  return (
    [image, created].every((text) => typeof text === "string") &&
    isDigestText(manifestDigest) &&
    areTexts(args) &&
    (owners === "exact" || owners === "flat") &&
    Array.isArray(layers) &&
    layers.every((layer: LayerRef | null) => isDigestText(layer?.diffId) && isDigestText(layer?.blob?.digest)) &&
    typeof config === "object" &&
    config !== null
  );
}

function isDigestText(value: unknown): boolean {
  return typeof value === "string" && isDigest(value);
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function restOf(record: unknown, lastChange: Date): KeptContainer {
  const { image, created, args } = (typeof record === "object" ? (record ?? {}) : {}) as Partial<Record<keyof KeptContainer, unknown>>;
  return {
    image: typeof image === "string" ? image : "",
    manifestDigest: digestOf(""),
    created: typeof created === "string" ? created : lastChange.toISOString(),
    args: areTexts(args) ? args : [],
    owners: "exact",
    layers: [],
    config: { os: "", architecture: "", rootfs: { type: "layers", diff_ids: [] } },
    isDamaged: true,
  };
}

function isEnd(value: unknown): value is ContainerEnd {
  if (typeof value !== "object" || value === null) return false;
  const { exitCode, ended, created } = value as Record<keyof ContainerEnd, unknown>;
  return Number.isInteger(exitCode) && typeof ended === "string" && Array.isArray(created);
}
