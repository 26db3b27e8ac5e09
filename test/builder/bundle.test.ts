import { describe, expect, it } from "vitest";
import { type BundledContainer, bundleConfig } from "../../builder/bundle/config.ts";
import { jsonText } from "../../builder/bundle/json.ts";
import { sandboxSecurity } from "../../builder/sandbox/security.ts";
import { MASKED_PATHS, READ_ONLY_PATHS } from "../../runtime-addon/index.ts";

const container: BundledContainer = {
  image: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] } },
  args: ["sh", "-c", "true"],
  env: { PATH: "/bin" },
  cwd: "/srv",
  identity: { uid: 0, gid: 0, groups: [], home: "/root" },
  hostname: "box",
  security: sandboxSecurity({}),
  limits: {},
  deviceNumbers: () => "8:16",
  readOnlyRoot: false,
  mounts: { given: [], rootless: false, network: "none" },
  machine: { architecture: "x64", kernel: [6, 1] },
};

/** config.json as a runtime reads it. */
function configOf(changes: Partial<BundledContainer>) {
  return JSON.parse(jsonText(bundleConfig({ ...container, ...changes })));
}

describe("config.json of a bundle", () => {
  it("allows what a container may do, and no more", () => {
    const { process, linux, root } = configOf({});
    expect(root).toEqual({ path: "rootfs", readonly: false });
    expect(process).toMatchObject({ terminal: false, noNewPrivileges: false, cwd: "/srv", env: ["HOME=/root", "PATH=/bin"] });
    expect(process.capabilities.bounding).toHaveLength(14);
    expect(process.capabilities.effective).toEqual(process.capabilities.bounding);
    expect(linux).toMatchObject({ maskedPaths: MASKED_PATHS, readonlyPaths: READ_ONLY_PATHS });
    expect(linux.resources).toEqual({ devices: [{ allow: false, access: "rwm" }] });
    expect(linux.namespaces.map(({ type }: { type: string }) => type)).toEqual(["pid", "ipc", "uts", "mount", "cgroup", "network"]);
  });

  it("has the profile of system calls for the machine and the capabilities", () => {
    const { seccomp } = configOf({}).linux;
    expect(seccomp).toMatchObject({ defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] });
    const rules = (config: typeof seccomp, name: string) =>
      config.syscalls
        .filter(({ names }: { names: string[] }) => names.includes(name))
        .map(({ names: _, ...rule }: { names: string[] }) => rule);
    expect(rules(seccomp, "mount")).toEqual([]);
    expect(rules(seccomp, "clone")).toEqual([
      { action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 0x7e020000, op: "SCMP_CMP_MASKED_EQ" }] },
    ]);
    const admin = configOf({ security: sandboxSecurity({ capAdd: ["SYS_ADMIN"] }) }).linux.seccomp;
    expect([rules(admin, "mount"), rules(admin, "clone")]).toEqual([[{ action: "SCMP_ACT_ALLOW" }], [{ action: "SCMP_ACT_ALLOW" }]]);
    expect(configOf({ security: sandboxSecurity({ seccomp: "unconfined" }) }).linux.seccomp).toBeUndefined();
  });

  it("gives comparisons of one argument as alternatives", () => {
    const args = [1, 2].map((value) => ({ index: 0, value, op: "SCMP_CMP_EQ" }) as const);
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args }],
    } as const;
    const { seccomp } = configOf({ security: sandboxSecurity({ seccomp: profile }) }).linux;
    expect(seccomp.syscalls).toEqual(
      args.map((argument) => ({ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args: [argument] })),
    );
    expect(seccomp.architectures).toEqual(["SCMP_ARCH_X86_64"]);
  });

  it("gives another user no capabilities to begin with, but the groups", () => {
    const { process } = configOf({ identity: { uid: 7, gid: 8, groups: [9], home: "/home/me" } });
    expect(process.user).toEqual({ uid: 7, gid: 8, umask: 0o022, additionalGids: [9] });
    expect([process.capabilities.effective, process.capabilities.permitted]).toEqual([[], []]);
  });

  it("has one id where it is not root's, and no control groups", () => {
    const mounts = { given: [], rootless: true, network: "host" } as const;
    const config = configOf({ owner: { uid: 1000, gid: 1001 }, mounts });
    expect(config.linux).toMatchObject({
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1001, size: 1 }],
      resources: {},
    });
    const targets = config.mounts.map(({ destination }: { destination: string }) => destination);
    expect(targets).not.toContain("/sys/fs/cgroup");
    expect(config.linux.namespaces).toContainEqual({ type: "user" });
    expect(config.linux.namespaces).not.toContainEqual({ type: "network" });
  });

  it("takes limits along", () => {
    const security = sandboxSecurity({ rlimits: { nofile: { soft: 5 }, core: { soft: 0, hard: "unlimited" } } });
    const text = jsonText(bundleConfig({ ...container, security }));
    // More than a number of JavaScript's can say.
    expect(text).toContain('"hard": 18446744073709551615');
    expect(JSON.parse(text).process.rlimits[0]).toEqual({ type: "RLIMIT_NOFILE", soft: 5, hard: 5 });
    const limits = { memoryBytes: 1000, cpus: 1.5, pids: 9, cpusetMems: "0", deviceReadBps: [{ device: "/dev/sdb", value: 7 }] };
    expect(configOf({ limits }).linux.resources).toMatchObject({
      memory: { limit: 1000, swap: 2000 },
      cpu: { quota: 150_000, period: 100_000, mems: "0" },
      pids: { limit: 9 },
      blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 7 }] },
    });
  });

  it("says of the image what the specification of conversion asks for", () => {
    const config = {
      StopSignal: "SIGINT",
      ExposedPorts: { "80/tcp": {} },
      Labels: { "org.opencontainers.image.author": "label", own: "x" },
    };
    expect(configOf({ image: { ...container.image, author: "me", config } }).annotations).toEqual({
      "org.opencontainers.image.os": "linux",
      "org.opencontainers.image.architecture": "amd64",
      "org.opencontainers.image.author": "label",
      "org.opencontainers.image.stopSignal": "SIGINT",
      "org.opencontainers.image.exposedPorts": "80/tcp",
      own: "x",
    });
  });

  it("makes mounts read-only with all that is below them", () => {
    const given = [
      { kind: "host", source: "/data", target: "/d", readOnly: true, isFile: false },
      { kind: "tmpfs", target: "/t", sizeBytes: 4096, mode: 0o700, uid: 5, noExec: true },
    ] as const;
    expect(configOf({ mounts: { ...container.mounts, given } }).mounts.slice(-2)).toEqual([
      { destination: "/d", type: "bind", source: "/data", options: ["rbind", "rprivate", "nodev", "rro"] },
      { destination: "/t", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=700", "size=4096", "uid=5", "noexec"] },
    ]);
  });
});
