import { existsSync, readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { type ForeignPrograms, foreignPrograms, withEmulator } from "../support/foreign.ts";
import { needs } from "../support/needs.ts";

const handlers = "/proc/sys/fs/binfmt_misc";

describe("programs of another architecture", needs("privateBinfmt", "foreignPackages", "packageArchive"), () => {
  const store = temporaryStore();
  let programs: ForeignPrograms;
  let platform: string;

  beforeAll(async () => {
    programs = foreignPrograms();
    platform = `linux/${programs.architecture}`;
    await mustTsbuild(["import", "--platform", platform, "--change", "ENV PATH=/bin", programs.rootfs, "foreign"], { store });
  }, 300_000);

  function build(dockerfile: string, prefix: readonly string[], flags: readonly string[] = []) {
    const context = contextDirectory({ Dockerfile: dockerfile });
    return tsbuild(["build", "--progress", "plain", "--platform", platform, ...flags, context], { store, prefix });
  }

  it("run where the kernel has an emulator, and what they made is kept for where it has none", async () => {
    const before = existsSync(handlers) ? readdirSync(handlers) : [];
    const dockerfile = 'FROM foreign\nRUN uname -m && echo made by $(uname -m) | cat > /made\nCMD ["cat", "/made"]\n';
    const prefix = withEmulator({ programs, flags: "OPF" });
    const first = await build(dockerfile, prefix, ["-t", "app"]);
    expect(first.stderr).toMatch(new RegExp(`^#2 ${programs.cpu}$`, "m"));
    expect(first.code).toBe(0);
    const inspected = JSON.parse(await mustTsbuild(["inspect", "app"], { store }));
    expect(inspected).toMatchObject({ architecture: programs.architecture });
    expect(await tsbuild(["run", "--platform", platform, "app"], { store, prefix })).toEqual({
      code: 0,
      stdout: `made by ${programs.cpu}\n`,
      stderr: "",
    });
    expect(await build(dockerfile, withEmulator(), ["-t", "again"])).toMatchObject({ code: 0 });
    expect(JSON.parse(await mustTsbuild(["inspect", "again"], { store })).imageId).toBe(inspected.imageId);
    expect(existsSync(handlers) ? readdirSync(handlers) : []).toEqual(before);
  });

  it.each<[name: string, flags: "OP" | undefined, what: string]>([
    ["the kernel has no emulator", undefined, "the kernel knows no emulator for it (binfmt_misc)"],
    [
      "the emulator is looked for in the container",
      "OP",
      "the emulator that the kernel knows for it cannot be reached from a container (binfmt_misc, without the flag F)",
    ],
  ])("are refused where %s, and the package that has one is named", async (_name, flags, what) => {
    const prefix = withEmulator(flags === undefined ? undefined : { programs, flags });
    const { code, stderr } = await build(`FROM foreign\nRUN echo ${flags ?? "none"}\n`, prefix);
    expect(code).toBe(3);
    expect(stderr).toContain(`Dockerfile:2:1: error: running the command: it is for ${platform}, this machine is linux/`);
    expect(stderr).toContain(`, and ${what} [UNSUPPORTED_PLATFORM]`);
    expect(stderr).toContain("hint: install an emulator that the kernel knows: Debian's packages qemu-user-static and binfmt-support;");
  });
});
