import { spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { helperPath, type SandboxProcess } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { boxSpec } from "./box.ts";
import { bundleProgram } from "./bundled.ts";

/**
 * Runs a sandbox with a terminal, from a program that has one of python's making, 30 rows by 100 columns.
 * That grows to 40 by 120 when "ready" is seen; `input` is typed once `prompt` is.
 */
async function onTerminal(script: string, input: string, process: Partial<SandboxProcess> = {}, prompt = "ready"): Promise<string> {
  const directory = temporaryDirectory("terminal");
  const program = bundleProgram(
    directory,
    "return await runtime.runSandbox(JSON.parse(args[0]!), { stdin: 'inherit', output: 'inherit' });",
  );
  copyFileSync(helperPath(), join(directory, "runtime-addon/build/Release/tsb-init"));
  const spec = JSON.stringify(boxSpec(script, { process: { tty: true, ...process } }));
  const driver = `
import fcntl, os, pty, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:4])
seen = b""
resized = typed = False
while True:
    try:
        chunk = os.read(master, 65536)
    except OSError:
        break
    seen += chunk
    if not resized and b"ready" in seen:
        resized = True
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    if not typed and sys.argv[5].encode() in seen:
        typed = True
        os.write(master, sys.argv[4].encode())
os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
`;
  const child = spawn("python3", ["-c", driver, globalThis.process.execPath, program, spec, input, prompt], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await new Promise((resolve) => child.once("close", resolve));
  return text;
}

const status = (text: string) => /"status":\{[^}]*\}/.exec(text)?.[0];

describe("a sandbox with a terminal", needs("root", "privateMounts", "python"), () => {
  it("has it as its controlling terminal, sized like the caller's, and owned by the user", async () => {
    const text = await onTerminal(
      "tty; stty size; stat -c %u:%a $(tty); echo x > /dev/tty; ls /dev/console; test -t 0 -a -t 1 -a -t 2; exit $?",
      "",
      { uid: 1000, gid: 1000 },
    );
    expect(text.split("\r\n").slice(0, 5)).toEqual(["/dev/pts/0", "30 100", "1000:620", "x", "/dev/console"]);
    expect(status(text)).toBe('"status":{"code":0}');
  });

  it("gets what is typed, also control characters as signals, and the new size of the window", async () => {
    // The interrupt is typed when the sandbox has said its new size: the two travel by different ways.
    const script = "trap 'exit 9' INT; trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    const text = await onTerminal(script, "\u0003", {}, "40 120");
    expect(text.split("\r\n")).toEqual(expect.arrayContaining(["ready", "40 120"]));
    expect(text).toContain("^C");
    expect(status(text)).toBe('"status":{"code":9}');
  });

  it("reads lines, and the end of the input", async () => {
    const text = await onTerminal("echo ready; read line; echo got $line; cat; echo end", "hello\nmore\n\u0004");
    expect(text.replaceAll("\r", "")).toMatch(/got hello\n(more\n)+end\n/);
    expect(status(text)).toBe('"status":{"code":0}');
  });

  it("shows all that was written before the end", async () => {
    const text = await onTerminal("head -c 300000 /dev/zero | tr '\\0' x", "");
    expect(text.split("x").length - 1).toBeGreaterThanOrEqual(300_000);
  });
});
