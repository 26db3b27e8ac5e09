import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runSandbox, type SandboxResult } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { box, boxSpec, busyboxRoot, layered, lines } from "./box.ts";

/** Everything below a directory, but the marks that overlay makes. */
function tree(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

describe("mounts of a sandbox", needs("root", "privateMounts"), () => {
  it("are files and directories of the host, read-only or not, in order", async () => {
    const host = temporaryDirectory("host");
    mkdirSync(join(host, "directory"));
    writeFileSync(join(host, "directory/file"), "inner\n");
    writeFileSync(join(host, "file"), "outer\n");
    const run = await box(
      "cat /tmp/directory/file /tmp/over; echo x > /tmp/directory/new; echo x > /tmp/over; echo changed > /tmp/free/file; touch /tmp/ram/x && ls -ld /tmp/ram",
      {
        mounts: [
          { kind: "bind", source: join(host, "directory"), target: "/tmp/directory", readOnly: true },
          { kind: "bind", source: join(host, "directory/file"), target: "/tmp/over", readOnly: false },
          { kind: "bind", source: join(host, "file"), target: "/tmp/over", readOnly: true },
          { kind: "bind", source: join(host, "directory"), target: "/tmp/free", readOnly: false },
          { kind: "tmpfs", target: "/tmp/ram", sizeBytes: 65536, mode: 0o700 },
        ],
      },
    );
    expect(lines(run)[0]).toBe("inner");
    expect(lines(run)[1]).toBe("outer");
    expect(lines(run)[2]).toMatch(/^drwx------ /);
    expect(run.stderr).toBe(
      "sh: can't create /tmp/directory/new: Read-only file system\nsh: can't create /tmp/over: Read-only file system\n",
    );
    expect(readFileSync(join(host, "directory/file"), "utf8")).toBe("changed\n");
  });

  it.each(["proc", "sys", "dev"])("refuse an image whose /%s is a symlink that later mounts turn away from the masks", async (name) => {
    const lower = temporaryDirectory("lower");
    mkdirSync(join(lower, "real"));
    mkdirSync(join(lower, "sys"));
    // While /proc is mounted, /sys/p is the image's; when it is masked, /sys is the kernel's.
    if (name === "proc") symlinkSync("/real", join(lower, "sys/p"));
    else if (name === "sys") rmdirSync(join(lower, "sys"));
    symlinkSync(name === "proc" ? "/sys/p" : "/real", join(lower, name));
    execFileSync("cp", ["-a", join(busyboxRoot(), "bin"), lower]);
    await expect(box("ls /real/sys", { root: layered([lower]).root })).rejects.toMatchObject({
      failure: { errno: "ELOOP", path: `/${name}` },
    });
  });

  it("can be written by nobody once the command has ended, and a descriptor that outlives it is reported", async () => {
    const open: number[] = [];
    const during = (pid: number, flags: number) => open.push(openSync(`/proc/${pid}/root/tmp/held`, flags));
    const held = async (flags: number) =>
      box(
        "until [ -e /tmp/go ]; do sleep 0.05; done",
        {},
        {
          onStarted: ({ pid }) =>
            void (async () => {
              // Until the root is entered, /proc/PID/root is the host's.
              while (readlinkSync(`/proc/${pid}/root`) !== "/" || !existsSync(`/proc/${pid}/root/proc/1/comm`) || !isBox(pid))
                await delay(10);
              writeFileSync(`/proc/${pid}/root/tmp/held`, "before");
              during(pid, flags);
              writeFileSync(`/proc/${pid}/root/tmp/go`, "");
            })(),
        },
      );
    const isBox = (pid: number) => readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(" / / rw,nodev,relatime - overlay ");
    try {
      // Kernels before 6.12 cannot put abstract sockets out of reach, which has nothing to do with mounts.
      const refusals = ({ skipped }: SandboxResult) =>
        skipped.flatMap(({ failure }) => (failure?.op === "--scope" ? [] : [`${failure?.op} ${failure?.errno}`]));
      expect(refusals(await held(constants.O_RDONLY))).toEqual([]);
      expect(() => openSync(`/proc/self/fd/${open[0]}`, "r+")).toThrow("EROFS");
      expect(refusals(await held(constants.O_WRONLY))).toEqual(["seal EBUSY"]);
    } finally {
      for (const fd of open) closeSync(fd);
    }
  });

  it("leave nothing where the root has the mount points", async () => {
    const host = temporaryDirectory("host");
    const skeleton = temporaryDirectory("skeleton");
    for (const path of ["dev", "proc", "sys", "etc", "cache/deep"]) mkdirSync(join(skeleton, path), { recursive: true });
    for (const path of ["etc/hosts", "etc/resolv.conf"]) writeFileSync(join(skeleton, path), "");
    writeFileSync(join(host, "hosts"), "127.0.0.1 localhost\n");
    const { root, upper } = layered([busyboxRoot(), skeleton]);
    const run = await box("cat /etc/hosts", {
      root,
      mounts: [
        { kind: "bind", source: join(host, "hosts"), target: "/etc/hosts", readOnly: true },
        { kind: "bind", source: join(host, "hosts"), target: "/etc/resolv.conf", readOnly: true },
        { kind: "bind", source: host, target: "/cache/deep", readOnly: false },
      ],
      files: [{ target: "/dev/tsbuild/apt.conf", content: "x\n" }],
    });
    expect(run.stdout).toBe("127.0.0.1 localhost\n");
    expect(run.created).toEqual([]);
    expect(tree(upper)).toEqual([]);
  });

  it("are made where they are missing and reported, and their directories keep their times", async () => {
    const lower = temporaryDirectory("lower");
    mkdirSync(join(lower, "data"));
    const before = statSync(join(lower, "data")).mtimeMs;
    const { root, upper } = layered([lower, busyboxRoot()]);
    const run = await box("stat -c %Y /data", {
      root,
      mounts: [
        { kind: "bind", source: join(lower, "data"), target: "/data/a/b", readOnly: true },
        { kind: "bind", source: join(busyboxRoot(), "bin/busybox"), target: "/data/file", readOnly: true },
      ],
    });
    expect(run.created).toEqual(["/data/a", "/data/a/b", "/data/file"]);
    expect(tree(upper)).toEqual(["data", "data/a", "data/a/b", "data/file"]);
    expect(statSync(join(upper, "data")).mtimeMs).toBe(before);
  });

  it("of provided files live in /dev", async () => {
    const run = await box("cat /dev/tsbuild/a /dev/tsbuild/deep/b; stat -c %a /dev/tsbuild/a /dev/tsbuild/deep/b", {
      files: [
        { target: "/dev/tsbuild/a", content: "ä\n" },
        { target: "/dev/tsbuild/deep/b", content: "x".repeat(100_000), mode: 0o755 },
      ],
    });
    expect(run.stdout).toBe(`ä\n${"x".repeat(100_000)}444\n755\n`);
    expect(run.created).toEqual([]);
  });

  it("take 200 layers with long paths", async () => {
    const directory = temporaryDirectory("layers");
    const lowers: string[] = [];
    for (let i = 0; i < 200; i++) {
      const lower = join(directory, `${"long-name-".repeat(12)}${i},:\\`);
      mkdirSync(join(lower, "layers"), { recursive: true });
      writeFileSync(join(lower, "layers", String(i)), "");
      writeFileSync(join(lower, "top"), `${i}\n`);
      lowers.push(lower);
    }
    const { root } = layered([...lowers, busyboxRoot()]);
    const run = await box("ls /layers | wc -l; cat /top", { root });
    expect(lines(run)).toEqual(["200", "0"]);
  });

  it("write what overlay writes under userxattr, and nothing is redirected", async () => {
    const lower = temporaryDirectory("lower");
    mkdirSync(join(lower, "gone"));
    mkdirSync(join(lower, "again"));
    writeFileSync(join(lower, "again/old"), "");
    const { root, upper } = layered([lower, busyboxRoot()]);
    await box("rmdir /gone; rm -r /again; mkdir /again", {
      root,
    });
    const gone = statSync(join(upper, "gone"));
    expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0]);
    const { execFileSync } = await import("node:child_process");
    const attributes = execFileSync("python3", [
      "-c",
      "import os,sys;p=sys.argv[1];print({n:os.getxattr(p,n) for n in os.listxattr(p)})",
      join(upper, "again"),
    ]);
    expect(attributes.toString()).toBe("{'user.overlay.opaque': b'y'}\n");
  });

  it("can be a plain directory instead of an overlay", async () => {
    const directory = temporaryDirectory("plain");
    const { execFileSync } = await import("node:child_process");
    execFileSync("cp", ["-a", `${busyboxRoot()}/.`, directory]);
    const spec = boxSpec("echo made > /tmp/file", { root: { directory } });
    expect((await runSandbox(spec, { stdin: "null", output: () => {} })).status).toEqual({ code: 0 });
    expect(readFileSync(join(directory, "tmp/file"), "utf8")).toBe("made\n");
  });

  it.each([
    ["a lower that is missing", { lowers: ["/no/such"] }, "SANDBOX_FAILED", "mounting the overlay on /no/such: ENOENT, access"],
    ["a directory that occurs twice", { lowers: [busyboxRoot, busyboxRoot] }, "OVERLAY_REFUSED", /: ELOOP, mount$/],
  ])("fail with a sentence for %s", async (_name, { lowers }, code, message) => {
    const { root } = layered(lowers.map((lower) => (typeof lower === "string" ? lower : lower())));
    await expect(box("true", { root })).rejects.toMatchObject({
      code,
      message: typeof message === "string" ? message : expect.stringMatching(message),
    });
  });

  it("fail with a sentence for a source that is missing", async () => {
    const mounts = [{ kind: "bind", source: "/no/such", target: "/tmp/x", readOnly: true }] as const;
    await expect(box("true", { mounts })).rejects.toMatchObject({
      code: "SANDBOX_FAILED",
      message: "making the sandbox: bind /no/such: ENOENT, open_tree",
    });
  });
});

describe("an image that attacks its mount points", needs("root", "privateMounts"), () => {
  it.each([
    ["an absolute symlink to a file of the host", (canary: string) => canary],
    ["a symlink that climbs out", (canary: string) => `../../../../../../../../..${canary}`],
    ["a symlink through /proc/1/root", (canary: string) => `/proc/1/root${canary}`],
    ["a symlink through /proc/self/cwd", (canary: string) => `/proc/self/cwd/../..${canary}`],
  ])("by %s reaches nothing outside", async (_name, target) => {
    const host = temporaryDirectory("canary");
    const canary = join(host, "canary");
    writeFileSync(canary, "untouched\n");
    writeFileSync(join(host, "resolv.conf"), "nameserver 192.0.2.1\n");
    const lower = temporaryDirectory("attack");
    mkdirSync(join(lower, "etc"));
    symlinkSync(target(canary), join(lower, "etc/resolv.conf"));
    const { root, upper } = layered([lower, busyboxRoot()]);
    const mounts = [{ kind: "bind", source: join(host, "resolv.conf"), target: "/etc/resolv.conf", readOnly: false }] as const;
    const run = await box("echo OVERWRITTEN > /etc/resolv.conf; true", {
      root,
      mounts,
    }).catch((error: unknown) => error);
    expect(readFileSync(canary, "utf8"), "A FILE OF THE HOST WAS CHANGED: THE SANDBOX CAN BE ESCAPED").toBe("untouched\n");
    // Either refused, or put in its place below the root.
    expect(run instanceof Error ? (run as Error & { code: string }).code : existsSync(`${upper}${canary}`)).toSatisfy(
      (seen) => seen === true || seen === "MOUNT_TARGET_REFUSED",
    );
  });

  it("by a symlink for /dev, /proc or /sys makes no device appear outside", async () => {
    const host = temporaryDirectory("canary");
    const lower = temporaryDirectory("attack");
    for (const name of ["dev", "proc", "sys"]) symlinkSync(`../../../../../../..${host}`, join(lower, name));
    const { root } = layered([lower, busyboxRoot()]);
    await box("true", { root }).catch(() => undefined);
    expect(readdirSync(host), "MOUNT POINTS WERE MADE ON THE HOST").toEqual([]);
  });

  it("by a symlink that leads nowhere has its mount where that points, as in Docker", async () => {
    const host = temporaryDirectory("host");
    writeFileSync(join(host, "resolv.conf"), "nameserver 192.0.2.1\n");
    const lower = temporaryDirectory("dangling");
    mkdirSync(join(lower, "etc"));
    symlinkSync("../run/systemd/resolve/stub-resolv.conf", join(lower, "etc/resolv.conf"));
    const { root } = layered([lower, busyboxRoot()]);
    const run = await box("cat /etc/resolv.conf", {
      root,
      mounts: [{ kind: "bind", source: join(host, "resolv.conf"), target: "/etc/resolv.conf", readOnly: true }],
    });
    expect(run.stdout).toBe("nameserver 192.0.2.1\n");
    expect(run.created.at(-1)).toBe("/run/systemd/resolve/stub-resolv.conf");
  });

  it("by symlinks in a circle is refused", async () => {
    const lower = temporaryDirectory("circle");
    mkdirSync(join(lower, "etc"));
    symlinkSync("hosts2", join(lower, "etc/hosts1"));
    symlinkSync("hosts1", join(lower, "etc/hosts2"));
    const { root } = layered([lower, busyboxRoot()]);
    const mounts = [{ kind: "bind", source: busyboxRoot(), target: "/etc/hosts1", readOnly: true }] as const;
    await expect(box("true", { root, mounts })).rejects.toMatchObject({
      failure: { errno: "ELOOP" },
    });
  });

  it("by a directory without permissions is no obstacle for root", async () => {
    const lower = temporaryDirectory("closed");
    mkdirSync(join(lower, "closed"));
    chmodSync(join(lower, "closed"), 0);
    const { root } = layered([lower, busyboxRoot()]);
    const run = await box("ls /closed/inner | grep -c busybox", {
      root,
      mounts: [{ kind: "bind", source: join(busyboxRoot(), "bin"), target: "/closed/inner", readOnly: true }],
    });
    expect(lines(run)).toEqual(["1"]);
  });
});
