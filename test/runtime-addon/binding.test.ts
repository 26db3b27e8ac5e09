import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { bytesOf, decodeScan, helperPath, scan } from "../../runtime-addon/index.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const run = (program: string, ...args: string[]) => JSON.parse(execFileSync(process.execPath, [program, ...args], { encoding: "utf8" }));

describe("the addon's loader", () => {
  it("finds the helper beside the addon", () => {
    expect(helperPath()).toMatch(/\/runtime-addon\/build\/Release\/tsb-init$/);
    expect(readFileSync(helperPath()).subarray(0, 4).toString("latin1")).toBe("\x7fELF");
  });

  it("finds the addon from a bundle in dist/", () => {
    const base = temporaryDirectory("binding");
    const program = bundleProgram(
      base,
      "return runtime.decodeScan(await runtime.scan(args[0]!, [runtime.bytesOf('')], { recursive: false, xattrs: false })).length;",
    );
    expect(run(program, join(base, "dist"))).toEqual({ value: 1 });
  });

  it("does not load it before its first use, and says how to build it when it is missing", () => {
    const base = temporaryDirectory("binding");
    const body = `
      if (args[0] === "idle") return "idle";
      return runtime.removeTree("/nonexistent/tsbuild").catch((error) => [error.code, error.message, error.hint, error instanceof runtime.TsbuildError]);`;
    const program = bundleProgram(base, body);
    const release = join(base, "runtime-addon/build/Release");
    rmSync(join(release, "addon.node"));
    expect(run(program, "idle")).toEqual({ value: "idle" });
    expect(run(program)).toEqual({
      value: [
        "ADDON_MISSING",
        `loading the native addon: addon.node is neither at ${base}/dist/build/Release/addon.node nor at ${release}/addon.node`,
        "npm run build:addon",
        true,
      ],
    });
    writeFileSync(join(release, "addon.node"), "no shared object");
    const [code, , hint] = run(program).value;
    expect([code, hint]).toEqual(["ADDON_INVALID", "npm run build:addon"]);
  });

  it("works in many worker threads at once, in two copies, and after they have ended", { timeout: 60_000 }, async () => {
    const base = temporaryDirectory("binding");
    const body = `
      const { parentPort } = await import("node:worker_threads");
      const out = base + "/out-" + Math.random();
      for (let round = 0; round < 20; round++) {
        const entries = runtime.decodeScan(await runtime.scan(base, [runtime.bytesOf("tree")], { recursive: true, xattrs: true }));
        const files = entries.filter((entry) => entry.type === "file").map((entry) => entry.path);
        const sink = runtime.openTarSink(out + round);
        const digests = await sink.write(files.map((path) => ({ root: base, path, size: 3 })));
        if (!digests.equals(await runtime.hashFiles(base, files))) throw new Error("digests differ");
        await sink.abort();
      }
      parentPort?.postMessage("done");`;
    const programs = ["one", "two"].map((name) => {
      mkdirSync(join(base, name));
      return bundleProgram(join(base, name), `const base = ${JSON.stringify(base)}; ${body}`);
    });
    mkdirSync(join(base, "tree/inner"), { recursive: true });
    for (let i = 0; i < 50; i++) writeFileSync(join(base, "tree/inner", `f${i}`), `${100 + i}`);
    const workers = [...programs, ...programs].map((program) => new Worker(program, { stdout: true }));
    expect(await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]))).toEqual(["done", "done", "done", "done"]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    // Ended in the middle of its work.
    for (const program of programs) {
      const worker = new Worker(program, { stdout: true });
      await once(worker, "online");
      await worker.terminate();
    }
    expect(decodeScan(await scan(base, [bytesOf("tree/inner")], { recursive: true, xattrs: false }))).toHaveLength(50);
  });

  it("is one file that needs nothing beside it", () => {
    const base = temporaryDirectory("binding");
    const program = bundleProgram(base, "return runtime.removeTree('/nonexistent/tsbuild').then(() => 'removed');");
    const moved = temporaryDirectory("moved");
    mkdirSync(join(moved, "dist"));
    mkdirSync(join(moved, "runtime-addon/build/Release"), { recursive: true });
    copyFileSync(program, join(moved, "dist/program.mjs"));
    copyFileSync(join(base, "runtime-addon/build/Release/addon.node"), join(moved, "runtime-addon/build/Release/addon.node"));
    expect(run(join(moved, "dist/program.mjs"))).toEqual({ value: "removed" });
  });
});
