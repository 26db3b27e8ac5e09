import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { busyboxTar } from "../support/bases.ts";
import { CLI_PATH } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("a step that writes until the store's disk is full", { ...needs("root", "privateMounts"), timeout: 60_000 }, () => {
  it.each([
    ["the disk filled by a step that fails of it", "dd if=/dev/zero of=/fill bs=1M", 1],
    ["the disk filled by a step that goes on", "dd if=/dev/zero of=/fill bs=1M; rm /fill", 0],
  ])("%s: what it wrote is gone, and the next build has room", async (_name, step, code) => {
    const directory = temporaryDirectory("disk");
    const store = join(directory, "store");
    mkdirSync(store);
    const hostile = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${step}\n` });
    const next = contextDirectory({ Dockerfile: "FROM busybox\nRUN head -c 8000000 /dev/zero > /x && rm /x\n" });
    const script = [
      'mount -t tmpfs -o size=32m none "$TSBUILD_ROOT"',
      `tsbuild() { ${process.execPath} ${CLI_PATH} "$@"; }`,
      `tsbuild import ${busyboxTar()} busybox > /dev/null || exit 9`,
      `tsbuild build --progress plain --network none -t hostile ${hostile}; echo "hostile $?"`,
      `tsbuild build -q --network none ${next} > /dev/null; echo "next $?"`,
      'echo "left $(find "$TSBUILD_ROOT" -name fill | wc -l)"',
    ].join("\n");
    const env = { ...process.env, TSBUILD_ROOT: store, NO_COLOR: "1" };
    const { stdout, stderr } = await command(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], { env });
    expect(stderr).toContain("No space left on device");
    expect(stdout.split("\n").slice(-4)).toEqual([`hostile ${code}`, "next 0", "left 0", ""]);
  });
});
