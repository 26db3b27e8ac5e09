import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { helperPath } from "../../runtime-addon/index.ts";
import { encodeSpec } from "../../runtime-addon/protocol.ts";
import { sandboxError } from "../../runtime-addon/sandbox-error.ts";

/** Runs the helper on these bytes; gives what it wrote on fd 4, and its exit code. */
async function feed(spec: Buffer | string): Promise<{ status: string; code: number | null }> {
  const child = spawn(helperPath(), [], { stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"], env: {} });
  let status = "";
  (child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
    status += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  (child.stdio[3] as Writable).on("error", () => {}).end(spec);
  return { code: await ended, status };
}

const error = (errno: number, path: string) => `{"error":{"op":"spec","syscall":"spec","errno":${errno},"path":${JSON.stringify(path)}}}\n`;
const EINVAL = 22;
const EPROTO = 71;
const GOOD = encodeSpec(["--cwd", "/"], ["true"]).toString();

describe("the helper", () => {
  it.each<[string, string | Buffer, string]>([
    ["nothing at all", "", error(EPROTO, "")],
    ["another version", GOOD.replace("tsb-init/1", "tsb-init/2"), error(EPROTO, "tsb-init/2")],
    ["a spec cut short after a whole word", GOOD.slice(0, GOOD.lastIndexOf("--")), error(EPROTO, "cut short")],
    ["a spec cut short within a word", GOOD.slice(0, -2), error(EPROTO, "cut short")],
    ["a count that is no number", GOOD.replace(/\0\d+\0/, "\0-1\0"), error(EPROTO, "cut short")],
    ["an unknown operation", encodeSpec(["--format-disk"], ["true"]), error(EINVAL, "--format-disk")],
    ["too few arguments", encodeSpec([], ["true"]).toString().replace("\0--\0true", "\0--bind\0x"), error(EINVAL, "--bind")],
    ["no command", Buffer.from("tsb-init/1\0" + "3\0--\0"), error(EINVAL, "--")],
    ["a uid that is no number", encodeSpec(["--uid", "0x0"], ["true"]), error(EINVAL, "--uid")],
    ["a uid that is too large", encodeSpec(["--uid", "4294967296"], ["true"]), error(EINVAL, "--uid")],
    ["a negative uid", encodeSpec(["--uid", "-1"], ["true"]), error(EINVAL, "--uid")],
    ["a capability past the last bit", encodeSpec(["--capability", "64"], ["true"]), error(EINVAL, "--capability")],
    ["a umask in decimal", encodeSpec(["--umask", "89"], ["true"]), error(EINVAL, "--umask")],
    ["a prefix without a length", encodeSpec(["--blackhole", "127.0.0.0"], ["true"]), error(EINVAL, "--blackhole")],
    ["a prefix that is too long", encodeSpec(["--blackhole", "::/129"], ["true"]), error(EINVAL, "--blackhole")],
    ["a prefix of no address", encodeSpec(["--blackhole", "127.0.0/8"], ["true"]), error(EINVAL, "--blackhole")],
    ["a limit that does not exist", encodeSpec(["--limit", "99", "1", "-"], ["true"]), error(EINVAL, "--limit")],
    [
      "a name with quotes and control characters",
      encodeSpec(['--"\\\n\u0001é'], ["true"]),
      error(EINVAL, '--"\\\n\u0001é').replace("\\n", "\\u000a"),
    ],
  ])("refuses %s", async (_name, spec, status) => {
    expect(await feed(spec)).toEqual({ code: 1, status });
  });

  it("says its version", async () => {
    const child = spawn(helperPath(), ["--version"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await new Promise((resolve) => child.once("close", resolve));
    expect(text).toBe("tsb-init/1\n");
  });
});

describe("a reported failure", () => {
  it.each([
    ["exec", "execve", 2, "foo", "COMMAND_NOT_FOUND", "running foo: not found in the image: ENOENT, execve", true],
    ["exec", "execve", 13, "/x", "COMMAND_NOT_EXECUTABLE", "running /x: cannot be executed: EACCES, execve", false],
    [
      "exec",
      "execve",
      8,
      "/x",
      "COMMAND_NOT_EXECUTABLE",
      "running /x: not a program for this machine, nor a script with #!: ENOEXEC, execve",
      false,
    ],
    ["--cwd", "chdir", 20, "/f", "WORKING_DIRECTORY", "entering working directory /f: ENOTDIR, chdir", false],
    [
      "--uid",
      "setresuid",
      22,
      "33",
      "ID_NOT_MAPPED",
      "becoming user or group 33: this user namespace has no such id: EINVAL, setresuid",
      true,
    ],
    ["--overlay", "mount", 1, "/u", "OVERLAY_REFUSED", "mounting the overlay on /u: EPERM, mount", true],
    ["--proc", "fsmount", 1, "proc", "PROC_REFUSED", "mounting /proc: EPERM, fsmount", true],
    ["namespaces", "clone", 1, "", "NAMESPACE_REFUSED", "making the sandbox's namespaces: EPERM, clone", true],
    ["namespaces", "clone", 28, "", "NAMESPACE_REFUSED", "making the sandbox's namespaces: ENOSPC, clone", true],
    ["--worker", "unshare", 1, "", "NAMESPACE_REFUSED", "making a user namespace: EPERM, unshare", true],
    ["--map", "newidmap", 1, "/usr/bin/newuidmap", "ID_MAP_REFUSED", "mapping ids with /usr/bin/newuidmap: EPERM, newidmap", true],
    [
      "--uid",
      "setgroups",
      1,
      "",
      "ID_NOT_MAPPED",
      "setting the command's groups: this user namespace has no such id: EPERM, setgroups",
      true,
    ],
    [
      "--tmpfs",
      "openat2",
      40,
      "/d/stdin",
      "MOUNT_TARGET_REFUSED",
      "mounting on /d/stdin: symlinks lead it in circles, or through /proc: ELOOP, openat2",
      false,
    ],
    [
      "--tmpfs",
      "openat2",
      20,
      "/f/x",
      "MOUNT_TARGET_REFUSED",
      "mounting on /f/x: a file and a directory cannot be mounted on each other, nor anything below a file: ENOTDIR, openat2",
      false,
    ],
    ["--bind", "open_tree", 2, "/x", "SANDBOX_FAILED", "making the sandbox: bind /x: ENOENT, open_tree", false],
    ["root", "pivot_root", 999, "/", "SANDBOX_FAILED", "making the sandbox: root /: errno 999, pivot_root", false],
  ])("of %s in %s (%i) reads as a sentence", (op, syscall, errno, path, code, message, hinted) => {
    const made = sandboxError({ op, syscall, errno, path });
    expect([made.code, made.message, made.hint !== undefined]).toEqual([code, message, hinted]);
  });
});
