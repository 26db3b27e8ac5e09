import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const diskBytes = 48 * 2 ** 20;
const reserveBytes = diskBytes / 16;
/** Four disks, in a file of less than a MiB. */
const bombBytes = 4 * diskBytes;

/**
 * Runs tsbuild on a store that has a small disk for itself. Its standard output ends with what verify says, and with how many MiB more are taken there than before.
 */
function onSmallDisk(directory: string, words: readonly string[], input = "/dev/null") {
  const script = `cd "$1"; input=$2 node=$3 cli=$5; shift 5
    mount -t tmpfs -o size=${diskBytes} none place; export TSBUILD_ROOT="$PWD/place/store"
    tsbuild() { "$node" -- "$cli" "$@"; }
    taken() { df -B1M --output=used place | tail -1; }
    tar -cf - -T /dev/null | tsbuild import - >/dev/null; before=$(taken); code=0
    tsbuild "$@" <"$input" || code=$?
    tsbuild verify 2>&1; echo $(($(taken) - before)); exit $code`;
  return tsbuild(words, { prefix: ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", directory, input] });
}

describe("attack: a bomb that would fill the disk is stopped before it has, and leaves nothing:", needs("root", "privateMounts"), () => {
  let directory: string;
  const bomb = () => join(directory, "context/bomb.tar.gz");
  beforeAll(async () => {
    directory = temporaryDirectory("small-disk");
    for (const path of ["place", "context", "bomb", "bomb/blobs", "bomb/blobs/sha256"]) mkdirSync(join(directory, path));
    writeFileSync(join(directory, "context/Dockerfile"), "FROM scratch\nADD bomb.tar.gz /\n");
    const blob = join(directory, "bomb/blobs/sha256", "0".repeat(64));
    await mustRun(["truncate", "--size", String(bombBytes), blob]);
    await mustRun(["sh", "-c", 'tar -cf - -C "$1" blobs | gzip -1 >"$2"', "sh", join(directory, "bomb"), bomb()]);
  });

  it.each<[name: string, words: () => readonly string[]]>([
    ["a root file system", () => ["import", bomb(), "app"]],
    ["an archive that ADD unpacks", () => ["build", "-q", join(directory, "context")]],
    ["a context", () => ["build", "-q", "-"]],
    ["an archive of images", () => ["load", bomb()]],
  ])("%s", async (_name, words) => {
    const { code, stdout, stderr } = await onSmallDisk(directory, words(), bomb());
    expect([code, stdout]).toEqual([1, "the store is whole\n0\n"]);
    expect(stderr).toMatch(
      new RegExp(
        `error: .*${directory}/place/store: ENOSPC: \\d+ bytes are free on the file system, ${reserveBytes} of which stay so, write '.*' \\[STORE_FULL\\]\n`,
      ),
    );
    expect(stderr).toMatch(/^ {2}hint: make room on its file system/m);
  });
});
