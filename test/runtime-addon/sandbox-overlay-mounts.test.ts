import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Mount } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { box, busyboxRoot, layered, lines } from "./box.ts";

/** Files by path; a path that ends in "/" is a directory, a content that begins with "->" a symlink. */
function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory("lower");
  for (const [path, content] of Object.entries(files)) {
    const at = join(directory, path);
    mkdirSync(path.endsWith("/") ? at : join(at, ".."), { recursive: true });
    if (content.startsWith("->")) symlinkSync(content.slice(2), at);
    else if (!path.endsWith("/")) writeFileSync(at, content);
  }
  return directory;
}

function readOnly(lowers: readonly string[], source: string, target: string): Mount {
  return { kind: "overlay", lowers: [...lowers, temporaryDirectory("bottom")], source, target };
}

function writable(lowers: readonly string[], source: string, target: string): Mount & { readonly changes: { readonly upper: string } } {
  const scratch = temporaryDirectory("changes");
  const changes = { upper: join(scratch, "upper"), work: join(scratch, "work") };
  mkdirSync(changes.upper);
  mkdirSync(changes.work);
  return { kind: "overlay", lowers, changes, source, target };
}

describe("overlay mounts of a sandbox", needs("root", "privateMounts"), () => {
  it("show layers on top of each other, without what the upper ones removed", async () => {
    const bottom = directoryOf({ "a/gone": "1\n", "a/kept": "2\n", "a/changed": "3\n" });
    const scratch = layered([bottom, busyboxRoot()]);
    // A sandbox makes the whiteout.
    await box("rm /a/gone; echo 4 > /a/changed", { root: scratch.root });
    const run = await box("cd /m && ls && cat kept changed; ls -l /m | grep -c '^c'", {
      mounts: [readOnly([scratch.upper, bottom], "/a", "/m")],
    });
    expect(lines(run)).toEqual(["changed", "kept", "2", "4", "0"]);
  });

  it("without an upper can be written by nobody", async () => {
    const lower = directoryOf({ "src/file": "before\n" });
    const run = await box("echo x > /m/file; echo x > /m/new; rm -f /m/file; touch /m/file; mkdir /m/d; chmod 700 /m; true", {
      mounts: [readOnly([lower], "/src", "/m")],
    });
    expect(lines({ stdout: run.stderr })).toEqual([
      "sh: can't create /m/file: Read-only file system",
      "sh: can't create /m/new: Read-only file system",
      "rm: can't remove '/m/file': Read-only file system",
      "touch: /m/file: Read-only file system",
      "mkdir: can't create directory '/m/d': Read-only file system",
      "chmod: /m: Read-only file system",
    ]);
    expect(readFileSync(join(lower, "src/file"), "utf8")).toBe("before\n");
  });

  it("with an upper take what is written there, and nothing else changes", async () => {
    const lower = directoryOf({ "src/file": "before\n", "src/gone": "" });
    const mount = writable([lower], "/src", "/m");
    const run = await box("echo after > /m/file; rm /m/gone; echo new > /m/new; cat /m/file /m/new", { mounts: [mount] });
    expect(lines(run)).toEqual(["after", "new"]);
    expect(readdirSync(join(lower, "src")).sort()).toEqual(["file", "gone"]);
    expect(readFileSync(join(lower, "src/file"), "utf8")).toBe("before\n");
    expect(readdirSync(join(mount.changes.upper, "src")).sort()).toEqual(["file", "gone", "new"]);
    expect(existsSync(join(run.upper, "m/file"))).toBe(false);
  });

  it.each([
    ["a file", "/d/file", "content\n"],
    ["a file behind a symlink", "/link", "content\n"],
    ["a file behind an absolute symlink, which stays inside", "/absolute", "content\n"],
  ])("show %s as a file", async (_name, source, content) => {
    const lower = directoryOf({ "d/file": "content\n", link: "->d/file", absolute: "->/d/file" });
    const run = await box("cat /f; test -f /f && echo x > /f", { mounts: [readOnly([lower], source, "/f")] });
    expect(run.stdout).toBe(content);
    expect(run.stderr).toBe("sh: can't create /f: Read-only file system\n");
  });

  it("show nothing where there are no layers, and can be written where they may", async () => {
    const run = await box("ls -a /m; echo x > /w/file && cat /w/file", {
      mounts: [readOnly([temporaryDirectory("empty")], "/", "/m"), writable([temporaryDirectory("empty")], "/", "/w")],
    });
    expect(lines(run)).toEqual([".", "..", "x"]);
  });

  it("of equal targets show the later", async () => {
    const run = await box("cat /m/file; ls /m", {
      mounts: [
        readOnly([directoryOf({ file: "first\n", other: "" })], "/", "/m"),
        readOnly([directoryOf({ file: "second\n" })], "/", "/m"),
      ],
    });
    expect(lines(run)).toEqual(["second", "file"]);
  });

  it("stand inside each other", async () => {
    const outer = directoryOf({ "inner/": "", file: "outer\n" });
    const run = await box("cat /m/file /m/inner/file; echo x > /m/ram/x && cat /m/ram/x", {
      mounts: [
        writable([outer], "/", "/m"),
        readOnly([directoryOf({ file: "inner\n" })], "/", "/m/inner"),
        { kind: "tmpfs", target: "/m/ram" },
      ],
    });
    expect(lines(run)).toEqual(["outer", "inner", "x"]);
    expect(readdirSync(outer).sort()).toEqual(["file", "inner"]);
  });

  it("take 200 layers with long paths", async () => {
    const directory = temporaryDirectory("layers");
    const lowers: string[] = [];
    for (let i = 0; i < 200; i++) {
      const lower = join(directory, `${"long-name-".repeat(12)}${i},:\\`);
      mkdirSync(join(lower, "d"), { recursive: true });
      writeFileSync(join(lower, "d", String(i)), "");
      lowers.push(lower);
    }
    const run = await box("ls /m | wc -l", { mounts: [readOnly(lowers, "/d", "/m")] });
    expect(lines(run)).toEqual(["200"]);
  });

  it("may be many", async () => {
    const mounts = Array.from({ length: 60 }, (_, i) => readOnly([directoryOf({ file: `${i}\n` })], "/file", `/tmp/m${i}`));
    const run = await box("cat /tmp/m*  | wc -l; cat /tmp/m59", { mounts });
    expect(lines(run)).toEqual(["60", "59"]);
  });

  it("are gone from the places where they were made", async () => {
    const lower = directoryOf({ "src/file": "" });
    const run = await box("grep -c overlay /proc/self/mountinfo; grep ' /m ' /proc/self/mountinfo | cut -d' ' -f4,6", {
      mounts: [readOnly([lower], "/src", "/m")],
    });
    // The root, and the mount: of it only what was asked for.
    expect(lines(run)).toEqual(["2", expect.stringMatching(/^\/src ro,nodev/)]);
  });

  it("have no usable device files", async () => {
    const run = await box("mknod /m/disk b 1 0 && cat /m/disk", { mounts: [writable([directoryOf({ file: "" })], "/", "/m")] });
    expect(run.stderr).toBe("cat: can't open '/m/disk': Permission denied\n");
  });

  it.each<[string, readonly Mount[], string, string]>([
    [
      "a source that is missing",
      [readOnly([directoryOf({ file: "" })], "/no/such", "/m")],
      "SANDBOX_FAILED",
      "making the sandbox: bind-overlay /no/such: ENOENT, openat2",
    ],
    [
      "a file on a directory",
      [readOnly([directoryOf({ file: "" })], "/file", "/tmp")],
      "MOUNT_TARGET_REFUSED",
      "mounting on /tmp: a file and a directory cannot be mounted on each other, nor anything below a file: EINVAL, move_mount",
    ],
    [
      "a directory on a file",
      [readOnly([directoryOf({ file: "" })], "/", "/bin/busybox")],
      "MOUNT_TARGET_REFUSED",
      "mounting on /bin/busybox: a file and a directory cannot be mounted on each other, nor anything below a file: EINVAL, move_mount",
    ],
    [
      "a target below a file",
      [{ kind: "tmpfs", target: "/bin/busybox/deep" }],
      "MOUNT_TARGET_REFUSED",
      "mounting on /bin/busybox/deep: a file and a directory cannot be mounted on each other, nor anything below a file: ENOTDIR, openat2",
    ],
    [
      "a target that a read-only mount lacks",
      [readOnly([directoryOf({ file: "" })], "/", "/m"), { kind: "tmpfs", target: "/m/ram" }],
      "MOUNT_TARGET_REFUSED",
      "mounting on /m/ram: it is missing in a mount that is read-only: EROFS, mkdirat",
    ],
    [
      "a single lower without an upper",
      [{ kind: "overlay", lowers: ["/x"], source: "/", target: "/m" }],
      "INVALID_SPEC",
      "planning the sandbox: an overlay needs two lower directories, or an upper",
    ],
    [
      "the root as a target",
      [readOnly(["/x"], "/", "/../.")],
      "INVALID_SPEC",
      "planning the sandbox: mount target /../. is the root itself",
    ],
  ])("fail with a sentence for %s", async (_name, mounts, code, message) => {
    await expect(box("true", { mounts })).rejects.toMatchObject({ code, message });
  });
});

describe("a layer that attacks a mount", needs("root", "privateMounts"), () => {
  const canaryDirectory = () => {
    const host = temporaryDirectory("canary");
    writeFileSync(join(host, "secret"), "SECRET OF THE HOST\n");
    return host;
  };

  it.each([
    ["an absolute symlink", (host: string) => `->${host}`],
    ["a symlink that climbs out", (host: string) => `->../../../../../../../../../..${host}`],
    ["a symlink through /proc/self/root", (host: string) => `->/proc/self/root${host}`],
    ["a symlink through /proc/1/cwd", (host: string) => `->/proc/1/cwd/../../..${host}`],
  ])("by %s for its source shows nothing of the host", async (_name, link) => {
    const host = canaryDirectory();
    const lower = directoryOf({ source: link(host) });
    const shown = await box("cat /m/secret", { mounts: [readOnly([lower], "/source", "/m")] }).then(
      ({ stdout }) => stdout,
      (error: Error & { code: string }) => error.code,
    );
    expect(shown, "A FILE OF THE HOST WAS SHOWN: MOUNTS CAN ESCAPE").toBe("SANDBOX_FAILED");
  });

  it.each([
    ["an absolute symlink", (host: string) => `->${host}/made`],
    ["a symlink that climbs out", (host: string) => `->../../../../../../../../../..${host}/made`],
    ["a symlink through /proc/1/root", (host: string) => `->/proc/1/root${host}/made`],
  ])("by %s for its target makes nothing on the host", async (_name, link) => {
    const host = canaryDirectory();
    const attack = directoryOf({ target: link(host) });
    const { root } = layered([attack, busyboxRoot()]);
    const mount = readOnly([directoryOf({ file: "" })], "/", "/target");
    await box("true", { root, mounts: [mount] }).catch(() => undefined);
    expect(readdirSync(host), "A MOUNT POINT WAS MADE ON THE HOST").toEqual(["secret"]);
  });

  it.each([
    ["/", "/"],
    ["/proc", "/proc"],
    ["a part of /proc", "/proc/sys"],
    ["/sys", "/sys/kernel"],
    ["/dev", "/dev"],
  ])("by a symlink to %s for its target cannot cover what is the sandbox's own", async (_name, path) => {
    const attack = () => layered([directoryOf({ target: `->${path}` }), busyboxRoot()]).root;
    await expect(box("true", { root: attack(), mounts: [readOnly([directoryOf({ file: "" })], "/", "/target")] })).rejects.toMatchObject({
      code: "MOUNT_TARGET_REFUSED",
      message: "mounting on /target: symlinks lead it to what is the sandbox's own (/, /dev, /proc or /sys): EBUSY, fstatfs",
    });
    await expect(box("true", { root: attack(), mounts: [{ kind: "tmpfs", target: "/target" }] })).rejects.toMatchObject({
      code: "MOUNT_TARGET_REFUSED",
    });
  });

  it.each([
    ["a link of the kernel's, behind /dev", "->/dev", "/target/stdin"],
    ["a link to itself", "->/target", "/target"],
  ])("by a symlink to %s is refused as a target", async (_name, link, target) => {
    const { root } = layered([directoryOf({ target: link }), busyboxRoot()]);
    await expect(box("true", { root, mounts: [{ kind: "tmpfs", target }] })).rejects.toMatchObject({
      code: "MOUNT_TARGET_REFUSED",
      message: `mounting on ${target}: symlinks lead it in circles, or through /proc: ELOOP, openat2`,
    });
  });

  it("by climbing out of a mounted sub-path finds the container's own root", async () => {
    const lower = directoryOf({ "deep/inner/file": "", outside: "OUTSIDE OF THE SOURCE\n" });
    const run = await box("cd /m && cat ../../outside; ls -d ../m; mv /m/file /m/../.. ; true", {
      mounts: [writable([lower], "/deep/inner", "/m")],
    });
    expect(run.stdout).toBe("../m\n");
  });

  it("by a symlink in an earlier mount puts the next one inside the container", async () => {
    const host = canaryDirectory();
    const first = directoryOf({ link: `->${host}` });
    const run = await box(`cat ${host}/file`, {
      mounts: [readOnly([first], "/", "/m"), readOnly([directoryOf({ file: "inside\n" })], "/", "/m/link")],
    });
    expect(run.stdout).toBe("inside\n");
    expect(readdirSync(host)).toEqual(["secret"]);
  });
});
