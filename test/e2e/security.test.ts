import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

beforeAll(() => importBusybox({ store }));

function run(flags: readonly string[], script: string) {
  return tsbuild(["run", "--rm", ...flags, "busybox", "sh", "-c", script], { store });
}

function build(dockerfile: string, ...flags: string[]) {
  return tsbuild(["--progress", "plain", ...flags, contextDirectory({ Dockerfile: dockerfile })], { store });
}

describe("a container", needs("sandbox"), () => {
  const held = "grep -E '^Cap(Prm|Bnd|Eff|Inh|Amb)' /proc/self/status | cut -f2 | sort -u";

  it.each([
    [[], "0000000000000000\n00000000a80425fb\n"],
    [["--cap-drop", "ALL"], "0000000000000000\n"],
    [["--cap-drop", "ALL", "--cap-add", "chown"], "0000000000000000\n0000000000000001\n"],
  ])("has the capabilities of %j", async (flags, stdout) => {
    expect(await run(flags, held)).toEqual({ code: 0, stdout, stderr: "" });
  });

  it("has the limits of --ulimit", async () => {
    expect((await run(["--ulimit", "nofile=99:100", "--ulimit", "core=0"], "ulimit -Sn; ulimit -Hn; ulimit -Hc")).stdout).toBe(
      "99\n100\n0\n",
    );
  });

  it("gains nothing with no-new-privileges, and sees all of /proc with systempaths=unconfined", async () => {
    expect((await run(["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status")).stdout).toBe("NoNewPrivs:\t1\n");
    const covered = "grep -c ' /proc/' /proc/mounts";
    expect(Number((await run([], covered)).stdout)).toBeGreaterThan(4);
    expect((await run(["--security-opt", "systempaths=unconfined"], covered)).stdout).toBe("0\n");
  });

  it("is told how to do without --privileged", async () => {
    const { code, stderr } = await run(["--privileged"], "true");
    expect([code, stderr]).toEqual([
      125,
      expect.stringContaining(
        "name what the command needs: --cap-add, --security-opt seccomp=unconfined, --security-opt systempaths=unconfined",
      ),
    ]);
  });
});

describe("RUN", needs("sandbox"), () => {
  it("has the security of the flags, and another key with it", async () => {
    const dockerfile = "FROM busybox\nRUN grep CapBnd /proc/self/status; ulimit -n\n";
    const first = await build(dockerfile, "--cap-drop=ALL", "--ulimit=nofile=77");
    expect(first.stderr).toContain("CapBnd:\t0000000000000000");
    expect(first.stderr).toMatch(/ 77$/m);
    expect((await build(dockerfile, "--cap-drop=ALL", "--ulimit=nofile=78")).stderr).toContain("#2 cached\n");
    expect((await build(dockerfile)).stderr).toContain("CapBnd:\t00000000a80425fb");
  });

  it.each([
    ["--security=insecure", "security.insecure"],
    ["--network=host", "network.host"],
  ])("%s is refused before any step where it is not allowed", async (flag, entitlement) => {
    const { code, stderr } = await build(`FROM busybox\nRUN echo first\nRUN ${flag} true\n`);
    expect(code).toBe(1);
    expect(stderr).toContain(`Dockerfile:3:1: error: planning the build: RUN ${flag}: ${entitlement} is not allowed [NOT_ALLOWED]`);
    expect(stderr).toContain(`allow it: --allow ${entitlement}`);
    expect(stderr).not.toContain("first\n#");
  });

  it("has the host's network where it is allowed, or where all steps have it", async () => {
    for (const flag of ["--allow=network.host", "--network=host"]) {
      expect((await build("FROM busybox\nRUN --network=host true\n", flag)).code).toBe(0);
    }
  });

  it("may do everything with --security=insecure where that is allowed, and the next step no longer", async () => {
    const script =
      "mount -t tmpfs x /mnt && umount /mnt && grep -E '^(CapEff|Seccomp):' /proc/self/status && test -b /dev/loop0 && test -c /dev/net/tun && grep ' /sys ' /proc/mounts";
    const result = await build(
      `FROM busybox\nRUN mkdir -p /mnt\nRUN --security=insecure ${script}\nRUN mount -t tmpfs x /mnt || test ! -e /dev/loop0\n`,
      "--allow",
      "security.insecure",
    );
    expect([result.code, result.stderr]).toEqual([0, expect.stringMatching(/Seccomp:\t0/)]);
    expect(result.stderr).toMatch(/ \/sys sysfs rw,/);
  });
});
