import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "./system-error.ts";

/** Where the kernel lists the handlers of foreign programs (Documentation/admin-guide/binfmt-misc.rst). */
const binfmtDirectory = "/proc/sys/fs/binfmt_misc";

/** e_machine of the ELF header (elf.h), and whether it is little-endian and of 64 bits, by the names of OCI images. */
const machines: Readonly<Record<string, { readonly machine: number; readonly big?: true; readonly bits: 32 | 64 }>> = {
  amd64: { machine: 62, bits: 64 },
  "386": { machine: 3, bits: 32 },
  arm64: { machine: 183, bits: 64 },
  arm: { machine: 40, bits: 32 },
  ppc64le: { machine: 21, bits: 64 },
  s390x: { machine: 22, big: true, bits: 64 },
  riscv64: { machine: 243, bits: 64 },
  loong64: { machine: 258, bits: 64 },
  mips64le: { machine: 8, bits: 64 },
  mips64: { machine: 8, big: true, bits: 64 },
};

/** The beginning of a program of this architecture; undefined where it is not known what one looks like. */
function headerOf(architecture: string): Buffer | undefined {
  const found = Object.hasOwn(machines, architecture) ? machines[architecture] : undefined;
  if (found === undefined) return undefined;
  const { machine, big, bits } = found;
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, big ? 2 : 1, 1]);
  const fields = [2, machine, 1] as const;
  header[big ? 17 : 16] = fields[0];
  if (big) header.writeUInt16BE(machine, 18);
  else header.writeUInt16LE(machine, 18);
  header[big ? 23 : 20] = fields[2];
  return header;
}

/**
 * Whether the kernel hands programs of another architecture to an interpreter that a sandbox reaches: one that was opened when it was registered (flag F). "unreachable" is one that every
 * root file system would have to hold. Architectures that are not known are taken for "none".
 */
export function foreignHandler(architecture: string, directory: string = binfmtDirectory): "reachable" | "unreachable" | "none" {
  const header = headerOf(architecture);
  if (header === undefined || read(join(directory, "status"))?.trim() !== "enabled") return "none";
  const entries = readdirSync(directory).flatMap((name) =>
    name === "status" || name === "register" ? [] : (read(join(directory, name)) ?? []),
  );
  const matching = entries.filter((entry) => handles(entry, header));
  if (matching.length === 0) return "none";
  return matching.some((entry) => /^flags: .*F/m.test(entry)) ? "reachable" : "unreachable";
}

/** An entry is text: "enabled", "interpreter …", "flags: …", "offset 0", "magic <hex>", "mask <hex>". */
function handles(entry: string, header: Buffer): boolean {
  const [, offset] = /^offset (\d+)$/m.exec(entry) ?? [];
  const [, magicHex] = /^magic ([0-9a-f]+)$/m.exec(entry) ?? [];
  const [, maskHex] = /^mask ([0-9a-f]+)$/m.exec(entry) ?? [];
  if (!/^enabled$/m.test(entry) || offset === undefined || magicHex === undefined) return false;
  const magic = Buffer.from(magicHex, "hex");
  const mask = maskHex === undefined ? Buffer.alloc(magic.length, 0xff) : Buffer.from(maskHex, "hex");
  return magic.every((byte, i) => (((header[Number(offset) + i] ?? 0) ^ byte) & (mask[i] ?? 0xff)) === 0);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw error;
  }
}
