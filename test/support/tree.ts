import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, bytesOf } from "../../runtime-addon/bytes.ts";
import { setAttributes } from "../../runtime-addon/index.ts";

interface Owned {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; fractions are kept to the microsecond. Absent: 1,000,000,000. */
  readonly mtime?: number;
  /** By name; values are latin1 bytes. Set with setfattr(1). */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** A file of a tree that a test wants. */
export type Wanted = Owned &
  (
    | { readonly kind: "file"; readonly content: string | Uint8Array }
    | { readonly kind: "directory" }
    | { readonly kind: "symlink"; readonly target: string }
    | { readonly kind: "link"; readonly target: string }
    | { readonly kind: "char" | "block"; readonly major: number; readonly minor: number }
    | { readonly kind: "fifo" }
    | { readonly kind: "socket" }
  );

export const file = (content: string | Uint8Array = "", owned: Owned = {}): Wanted => ({ kind: "file", content, ...owned });
export const dir = (owned: Owned = {}): Wanted => ({ kind: "directory", ...owned });
export const symlink = (target: string, owned: Owned = {}): Wanted => ({ kind: "symlink", target, ...owned });
/** Another name of a file of the same tree. */
export const link = (target: string): Wanted => ({ kind: "link", target });
export const char = (major: number, minor: number, owned: Owned = {}): Wanted => ({ kind: "char", major, minor, ...owned });
export const block = (major: number, minor: number, owned: Owned = {}): Wanted => ({ kind: "block", major, minor, ...owned });
export const fifo = (owned: Owned = {}): Wanted => ({ kind: "fifo", ...owned });
export const socket = (owned: Owned = {}): Wanted => ({ kind: "socket", ...owned });

const defaultMtime = 1_000_000_000;

/** Makes the tree below `root`, which exists; missing parents are made too. Every time, mode and owner is set, whatever the umask. */
export async function makeTree(root: string, wanted: Readonly<Record<string, Wanted>>): Promise<void> {
  const all = withParents(wanted);
  for (const [path, entry] of all) makeEntry(join(root, path), entry, root);
  // Deepest first: a directory's time changes with its children.
  for (const [path, entry] of [...all].reverse()) finishEntry(join(root, path), entry);
  await setAttributes(
    root,
    all.reverse().map(([path, { mtime = defaultMtime }]) => {
      const seconds = Math.floor(mtime);
      return { path: bytesOf(path), mtime: seconds, mtimeNsec: Math.round((mtime - seconds) * 1e6) * 1000 };
    }),
  );
}

function withParents(wanted: Readonly<Record<string, Wanted>>): [string, Wanted][] {
  const all = new Map<string, Wanted>();
  for (const path of Object.keys(wanted)) {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) all.set(path.slice(0, at), dir());
  }
  for (const [path, entry] of Object.entries(wanted)) all.set(path, entry);
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).sort(([, a], [, b]) => Number(a.kind === "link") - Number(b.kind === "link"));
}

function makeEntry(path: string, entry: Wanted, root: string): void {
  switch (entry.kind) {
    case "file":
      writeFileSync(path, entry.content);
      return;
    case "directory":
      mkdirSync(path, { recursive: true });
      return;
    case "symlink":
      symlinkSync(entry.target, path);
      return;
    case "link":
      linkSync(join(root, entry.target), path);
      return;
    case "char":
    case "block":
      execFileSync("mknod", [path, entry.kind === "char" ? "c" : "b", String(entry.major), String(entry.minor)]);
      return;
    case "fifo":
      execFileSync("mkfifo", [path]);
      return;
    case "socket":
      execFileSync("python3", ["-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", path]);
  }
}

function finishEntry(path: string, entry: Wanted): void {
  if (entry.kind === "link") return;
  if (entry.kind !== "symlink" && (entry.uid !== undefined || entry.gid !== undefined)) chownSync(path, entry.uid ?? 0, entry.gid ?? 0);
  if (entry.kind === "symlink") {
    if (entry.uid !== undefined) execFileSync("chown", ["-h", `${entry.uid}:${entry.gid ?? 0}`, path]);
    return;
  }
  chmodSync(path, entry.mode ?? (lstatSync(path).isDirectory() ? 0o755 : 0o644));
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
    execFileSync("setfattr", ["-h", "-n", name, "-v", `0x${Buffer.from(value, "latin1").toString("hex")}`, path]);
  }
}

/**
 * What is below a directory as find(1), getfattr(1), stat(1) and sha256sum(1) see it, one line a file, sorted: type, mode, owner, size, time, link
 * target, device numbers (0:0 as "removed"), which names are the same file, content and extended attributes. Never asks our own code. The root itself is left out.
 */
export function listing(root: string, options: { readonly times?: boolean; readonly owners?: boolean } = {}): string[] {
  const { times = true, owners = true } = options;
  const run = (command: string): string =>
    execFileSync("bash", ["-c", command], { cwd: root, env: { ...process.env, LC_ALL: "C" }, maxBuffer: 1 << 30 }).toString("latin1");
  const extra = new Map<string, string>();
  const add = (path: string, text: string): void => void extra.set(path, `${extra.get(path) ?? ""} ${text}`);
  for (const record of run("find . -type f -print0 | xargs -0 -r sha256sum -z").split("\0")) {
    if (record !== "") add(record.slice(66 + 2), record.slice(0, 16));
  }
  for (const record of run("find . \\( -type c -o -type b \\) -print0 | xargs -0 -r stat --printf '%n\\t%t:%T\\0'").split("\0")) {
    const [path, device] = record.split("\t");
    if (path !== undefined && device !== undefined) add(path.slice(2), device);
  }
  for (const group of run("getfattr -R -P -h -d -m - -e hex . 2>/dev/null").split("\n\n")) {
    const [head, ...attributes] = group.split("\n").filter((line) => line !== "");
    const path = head
      ?.slice("# file: ".length)
      .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (path !== undefined) add(path, attributes.sort().join(" "));
  }
  const inodes = new Map<string, string>();
  const lines: string[] = [];
  const records = run("find . -mindepth 1 -printf '%P\\t%y\\t%m\\t%U:%G\\t%s\\t%T@\\t%l\\t%i\\t%n\\0' | sort -z").split("\0");
  for (const record of records) {
    if (record === "") continue;
    const [path = "", type = "", mode, owner, size, time, target, inode = "", links] = record.split("\t");
    const first = inodes.get(inode) ?? path;
    inodes.set(inode, first);
    // Of overlay's removals nothing but that they are there has a meaning.
    if (type === "c" && extra.get(path) === " 0:0") {
      lines.push(`${path} removed`);
      continue;
    }
    const fields = [
      path,
      type,
      ...(type === "l" ? [] : [mode]),
      ...(owners ? [owner] : []),
      ...(type === "f" ? [size] : []),
      ...(times ? [time?.replace(/0$/, "")] : []),
      ...(type === "l" ? [`-> ${target}`] : []),
      ...(type === "f" && links !== "1" ? [`= ${first}`] : []),
      extra.get(path) ?? "",
    ];
    lines.push(fields.join(" ").trimEnd());
  }
  return lines;
}

/** The bytes of an entry path. */
export const path = (text: string): ByteString => bytesOf(text);
