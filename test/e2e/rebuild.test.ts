import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { busyboxTar } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { writeFiles } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

/** A context with an image of its own, built with these flags. */
async function built(name: string, files: Readonly<Record<string, string>>, ...flags: string[]): Promise<string> {
  const context = temporaryDirectory("context");
  writeFiles(context, files);
  for (const file of Object.keys(files)) utimesSync(join(context, file), 1_600_000_000, 1_600_000_000);
  await mustTsbuild(["build", "--network", "none", "-t", name, ...flags, context], { store });
  return context;
}

const rebuild = (name: string, ...args: string[]) => tsbuild(["verify", "--rebuild", name, "--network", "none", ...args], { store });

describe("verify --rebuild", needs("sandbox"), () => {
  beforeAll(async () => {
    await mustTsbuild(["import", busyboxTar(), "busybox"], { store });
  });

  it("says of an image with a time of its own that it is the same, and leaves nothing behind", async () => {
    const Dockerfile = "FROM busybox\nARG V=0\nCOPY a /a\nRUN echo $V > /v; rm /etc/shadow\n";
    const context = await built("same", { Dockerfile, a: "1" }, "--source-date-epoch", "1700000000", "--build-arg", "V=7");
    const images = await mustTsbuild(["images", "--format", "json"], { store });
    const result = await rebuild("same", "--build-arg", "V=7", context);
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^same: the same image sha256:\w{64}\n$/) });
    expect(readdirSync(join(store, "v1/tmp"))).toEqual([]);
    expect(await mustTsbuild(["images", "--format", "json"], { store })).toBe(images);
  });

  it("names the first file that differs, and the step that wrote the time into it", async () => {
    const Dockerfile = "FROM busybox\nRUN touch /x\n\nRUN date +%s%N > /now; touch /later\nRUN touch /y\n";
    const context = await built("now", { Dockerfile }, "--source-date-epoch", "1700000000");
    const { code, stdout } = await rebuild("now", context);
    expect(code).toBe(1);
    expect(stdout.replaceAll(/sha256:\w{64}/g, "ID")).toBe(
      [
        "now: another image: ID → ID",
        "layer 3 differs: ID → ID",
        "made by: [3/4] RUN date +%s%N > /now; touch /later (line 4)",
        "C /now (content)\n",
      ].join("\n"),
    );
    const json = JSON.parse((await rebuild("now", "--format", "json", context)).stdout);
    expect(json).toMatchObject({
      same: false,
      difference: { of: "layer", layer: 2, file: { path: "/now", change: "changed" } },
      step: { title: "[3/4] RUN date +%s%N > /now; touch /later", line: 4 },
    });
  });

  it.each<[name: string, change: Readonly<Record<string, string>>, told: RegExp]>([
    ["changed", { a: "2" }, /^made by: \[2\/3\] COPY \. \/c \(line 2\)\nC \/c\/a \(content\)$/m],
    ["grown", { b: "new" }, /^A \/c\/b$/m],
    [
      "configured",
      { Dockerfile: "FROM busybox\nCOPY a /c/\nRUN touch /x\nENV A=1\n" },
      /^the layers are the same, the configuration differs\n\+ config\.Env\.A: "1"$/m,
    ],
  ])("tells that the context was %s since", async (name, change, told) => {
    const Dockerfile = name === "configured" ? "FROM busybox\nCOPY a /c/\nRUN touch /x\n" : "FROM busybox\nCOPY . /c\nRUN touch /x\n";
    const context = await built(name, { Dockerfile, a: "1", ".dockerignore": "Dockerfile\n" }, "--source-date-epoch", "1500000000");
    writeFiles(context, change);
    const { code, stdout } = await rebuild(name, context);
    expect(code).toBe(1);
    expect(stdout).toMatch(told);
  });

  it("says of an image of the clock's time what would make it the same", async () => {
    const context = await built("clock", { Dockerfile: "FROM busybox\nCOPY a /a\n", a: "1" });
    const { code, stdout } = await rebuild("clock", context);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^layers and configuration are the same, how and when they were made is told otherwise\nhint: the image has no time/m,
    );
  });

  it.each([
    [["verify", "--target", "x"], "reading the command line: --target says how an image was built, and none is named"],
    [["verify", "."], "reading the command line: . says how an image was built, and none is named"],
    [["verify", "--rebuild", "same", "--repair"], "reading the command line: --rebuild and --repair cannot be done at once"],
  ])("refuses %j", async (args, message) => {
    expect(await tsbuild(args, { store })).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});
