import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where finished base tars are kept: outside any checkout, so that a new clone finds them. */
export function cacheDirectory() {
  if (process.env.TSBUILD_BASES !== undefined && process.env.TSBUILD_BASES !== "") return process.env.TSBUILD_BASES;
  if (process.getuid() === 0) return "/var/cache/tsbuild-bases";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tsbuild-bases");
}

/**
 * The tar for `key` (plain data that names what it is made of), made by `make(file)` when there is none or it is older than
 * maxAgeDays. When making it anew fails and an old one is there, that one is used and `warn` is told.
 * Returns { file, digest } with the tar's sha256 as 64 hex digits.
 */
export async function cachedTar(key, maxAgeDays, make, warn) {
  const directory = cacheDirectory();
  mkdirSync(directory, { recursive: true });
  const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
  const file = join(directory, `${key.name}-${hash}.tar`);
  const digestFile = `${file}.sha256`;
  const complete = existsSync(file) && existsSync(digestFile);
  if (complete && Date.now() - statSync(file).ctimeMs < maxAgeDays * 86_400_000) return { file, digest: await readDigest(digestFile) };
  try {
    make(file);
  } catch (error) {
    if (!complete) throw error;
    warn(
      `${key.name}: using the base of ${statSync(file).ctime.toISOString().slice(0, 10)}, since a new one could not be made: ${error.message}`,
    );
    return { file, digest: await readDigest(digestFile) };
  }
  const digest = await sha256(file);
  writeFileSync(digestFile, `${digest}\n`);
  for (const name of readdirSync(directory)) {
    if (name.startsWith(`${key.name}-`) && !name.startsWith(`${key.name}-${hash}.`)) rmSync(join(directory, name), { force: true });
  }
  return { file, digest };
}

async function readDigest(file) {
  return (await readFile(file, "utf8")).trim();
}

async function sha256(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}
