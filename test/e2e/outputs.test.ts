import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { output } from "../store/sample-image.ts";
import { CLI_PATH, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /dir/a\nENV A=1\n", a: "content" });

describe("tsbuild -o", () => {
  it("writes the files into a directory", async () => {
    const out = join(temporaryDirectory("out"), "out");
    await mustTsbuild(["-o", out, context], { store: temporaryStore() });
    expect(readFileSync(join(out, "dir/a"), "utf8")).toBe("content");
  });

  it.each([
    ["-", []],
    ["-", ["-q"]],
    ["type=tar", ["--progress=rawjson"]],
  ])("%s writes nothing but the tar to standard output, with %j", async (to, flags) => {
    const file = join(temporaryDirectory("out"), "root.tar");
    const argv = [process.execPath, CLI_PATH, "-o", to, ...flags, context].map((word) => `'${word}'`).join(" ");
    const said = await mustRun(["sh", "-c", `${argv} 2>&1 >'${file}'`], { env: { ...process.env, TSBUILD_ROOT: temporaryStore() } });
    expect(output(["tar", "-tf", file]).toString()).toBe("dir/\ndir/a\n");
    expect(said).toMatch(/sha256:/);
  });

  it("goes through a pipe into load, and out as a tar again", async () => {
    const directory = temporaryDirectory("out");
    const [store, other] = [temporaryStore(), temporaryStore()];
    const build = `${process.execPath} ${CLI_PATH} build --store ${store} -t app:v1 -o type=oci,dest=-,compression-level=9 ${context} 2>/dev/null`;
    await mustRun(["sh", "-c", `${build} | ${process.execPath} ${CLI_PATH} load --store ${other}`]);
    await mustTsbuild(["export", "app:v1", "-o", join(directory, "root.tar")], { store: other });
    expect(output(["tar", "-xOf", join(directory, "root.tar"), "dir/a"]).toString()).toBe("content");
    await mustTsbuild(["export", "app:v1", "-o", `${directory}/root/`], { store: other });
    expect(readFileSync(join(directory, "root/dir/a"), "utf8")).toBe("content");
  });

  it("is read by skopeo and umoci as what it is", needs("skopeo", "umoci"), async () => {
    const directory = temporaryDirectory("out");
    const at = (name: string) => join(directory, name);
    const outputs = [`type=oci,dest=${at("oci.tar")}`, `type=docker,dest=${at("docker.tar")}`, `type=oci,tar=false,dest=${at("layout")}`];
    const imageId = (
      await mustTsbuild(["-q", "-t", "app:v1", ...outputs.flatMap((one) => ["-o", one]), context], { store: temporaryStore() })
    ).trim();
    for (const place of [
      `oci-archive:${at("oci.tar")}:app:v1`,
      `oci:${at("layout")}:app:v1`,
      `docker-archive:${at("docker.tar")}:app:v1`,
    ]) {
      expect(JSON.parse(await mustRun(["skopeo", "inspect", "--config", place])).config.Env).toContain("A=1");
      await mustRun(["skopeo", "--insecure-policy", "copy", "-q", place, `dir:${at("copy")}`]);
      const manifest = JSON.parse(readFileSync(at("copy/manifest.json"), "utf8"));
      expect(manifest.config.digest, place).toBe(imageId);
    }
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await mustRun(["umoci", "unpack", ...rootless, "--image", `${at("layout")}:app:v1`, at("bundle")]);
    expect(readFileSync(at("bundle/rootfs/dir/a"), "utf8")).toBe("content");
  });

  it("refuses what it cannot do before anything is built", async () => {
    const file = join(temporaryDirectory("out"), "full");
    writeFileSync(file, "");
    const { code, stderr } = await tsbuild(["-o", "type=tarball,dest=x", context], { store: temporaryStore() });
    expect([code, stderr]).toEqual([2, expect.stringContaining("type=tarball is not supported")]);
    const failed = await tsbuild(["-o", join(file, "below"), context], { store: temporaryStore() });
    expect([failed.code, failed.stderr]).toEqual([1, `error: exporting to ${file}/below: ${file} is no directory [WRITE_FAILED]\n`]);
    expect(existsSync(join(file, "below"))).toBe(false);
  });

  it.each<[name: string, output: (directory: string) => string, doing: string]>([
    ["an archive", (directory) => `type=oci,dest=${directory}/app.tar`, "saving to DIR/app.tar"],
    ["a layout", (directory) => `type=oci,tar=false,dest=${directory}/new`, "saving to DIR/new"],
    ["files", (directory) => `type=local,dest=${directory}/some/where`, "exporting to DIR/some/where"],
  ])("refuses %s where this user cannot write", needs("root", "privateMounts"), async (_name, output, doing) => {
    const [user, directory] = [createUser({ uid: 4711, subIds: false }), temporaryDirectory("closed")];
    const place = join(user.home, "context");
    cpSync(context, place, { recursive: true });
    const { code, stderr } = await tsbuild(["-o", output(directory), place], { user });
    const message = `error: ${doing}: this user cannot write to DIR [WRITE_FAILED]\n`;
    expect([code, stderr]).toEqual([1, message.replaceAll("DIR", directory)]);
  });
});
