import { describe, expect, it } from "vitest";
import { exitCodeOf, runSandbox } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { box, boxSpec, lines } from "./box.ts";

describe("an exit code", () => {
  it.each([
    ["a command's own", { code: 137 }, 137],
    ["128 and more for a signal", { signal: 15 }, 143],
  ])("is %s", (_name, status, exitCode) => {
    expect(exitCodeOf(status)).toBe(exitCode);
  });
});

describe("a command in a sandbox", needs("root", "privateMounts"), () => {
  it("can open its output again, as another user too", async () => {
    const run = await box("echo out > /dev/stdout; echo err > /dev/stderr; echo tee | tee /dev/stderr", {
      process: { uid: 1234, gid: 1234 },
    });
    expect([run.stdout, run.stderr]).toEqual(["out\ntee\n", "err\ntee\n"]);
  });

  it("waits for a slow reader instead of filling memory", async () => {
    let seen = 0;
    const result = await runSandbox(boxSpec("head -c 3000000 /dev/zero"), {
      stdin: "null",
      output: async (chunk) => {
        seen += chunk.length;
        await new Promise((resolve) => setTimeout(resolve, 2));
      },
    });
    expect([result.status, seen]).toEqual([{ code: 0 }, 3_000_000]);
  });

  it("dies when its reader fails, and the reader's error is the result", async () => {
    const failing = runSandbox(boxSpec("while true; do echo x; done"), {
      stdin: "null",
      output: () => {
        throw new Error("disk full");
      },
    });
    await expect(failing).rejects.toThrow("disk full");
  });

  it("has no capabilities as another user than root, bounded by Docker's fourteen", async () => {
    const run = await box("grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status | cut -f2", { process: { uid: 1000, gid: 1000 } });
    expect(lines(run)).toEqual(["0000000000000000", "0000000000000000", "00000000a80425fb"]);
  });
});
