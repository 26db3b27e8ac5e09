import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { type Attributes, type Compression, type FileSpec, type Files, type TarSpec, textOf } from "./case.ts";

const defaultMtime = 1_000_000_000;

type Spec = Exclude<FileSpec, string>;

const specOf = (spec: FileSpec): Spec => (typeof spec === "string" ? { text: spec } : spec);

/** The bytes of a path of a case: UTF-8, but "\xNN" is that byte. */
export function pathBytes(path: string): Buffer {
  const parts = path.split(/(\\x[0-9a-f]{2})/);
  return Buffer.concat(parts.map((part) => (/^\\x[0-9a-f]{2}$/.test(part) ? Buffer.from(part.slice(2), "hex") : Buffer.from(part))));
}

/** Makes the files below `root`, which exists. Modes and times are what the case says, whatever the umask is. */
export async function makeFiles(root: string, files: Files): Promise<void> {
  const at = (path: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), pathBytes(path)]);
  const all = new Map<string, Spec>();
  for (const [path, spec] of Object.entries(files)) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash + 1);
      if (!all.has(parent)) all.set(parent, {});
    }
    all.set(path, specOf(spec));
  }
  const ordered = [...all].sort(([, a], [, b]) => Number(a.hardlink !== undefined) - Number(b.hardlink !== undefined));
  for (const [path, spec] of ordered) await makeFile(path, spec, at);
  // The deepest first: a directory's time changes with its children.
  for (const [path, spec] of ordered.reverse()) if (spec.hardlink === undefined) setAttributes(path, spec, at(path));
}

async function makeFile(path: string, spec: Spec, at: (path: string) => Buffer): Promise<void> {
  if (path.endsWith("/")) mkdirSync(at(path), { recursive: true });
  else if (spec.symlink !== undefined) symlinkSync(pathBytes(spec.symlink), at(path));
  else if (spec.hardlink !== undefined) linkSync(at(spec.hardlink), at(path));
  else if (spec.fifo) execFileSync("mkfifo", [at(path).toString()]);
  else writeFileSync(at(path), await contentOf(spec));
}

function setAttributes(path: string, { mode, uid, gid, mtime = defaultMtime, symlink, xattrs = {} }: Spec, absolute: Buffer): void {
  if (symlink === undefined) {
    if (uid !== undefined || gid !== undefined) chownSync(absolute, uid ?? 0, gid ?? 0);
    chmodSync(absolute, modeOf(path, mode));
  }
  for (const [name, value] of Object.entries(xattrs)) execFileSync("setfattr", ["-n", name, "-v", value, absolute.toString()]);
  lutimesSync(absolute, mtime, mtime);
}

function modeOf(path: string, mode: Attributes["mode"]): number {
  return mode === undefined ? (path.endsWith("/") ? 0o755 : 0o644) : Number.parseInt(mode, 8);
}

export async function contentOf({ text, base64, tar }: Spec): Promise<Buffer> {
  if (tar !== undefined) return tarOf(tar);
  return base64 === undefined ? Buffer.from(textOf(text ?? "")) : Buffer.from(base64, "base64");
}

/** The bytes of a tar: its members are named and ordered as the case says. */
export async function tarOf({ files, compression }: TarSpec): Promise<Buffer> {
  const tar = pack();
  for (const [name, given] of Object.entries(files)) {
    const spec = specOf(given);
    const header = {
      name,
      mode: modeOf(name, spec.mode),
      uid: spec.uid ?? 0,
      gid: spec.gid ?? 0,
      mtime: new Date((spec.mtime ?? defaultMtime) * 1000),
    };
    if (spec.symlink !== undefined) tar.entry({ ...header, type: "symlink", linkname: spec.symlink });
    else if (spec.hardlink !== undefined) tar.entry({ ...header, type: "link", linkname: spec.hardlink });
    else if (spec.fifo) tar.entry({ ...header, type: "fifo" });
    else if (name.endsWith("/")) tar.entry({ ...header, type: "directory" });
    else tar.entry(header, await contentOf(spec));
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return compressed(Buffer.concat(chunks), compression);
}

function compressed(bytes: Buffer, compression: Compression | undefined): Buffer {
  if (compression === undefined) return bytes;
  if (compression === "gzip") return gzipSync(bytes);
  return execFileSync(compression, ["-c", "-q"], { input: bytes, maxBuffer: 1 << 26 });
}
