import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type HttpFiles, startHttpFiles } from "../support/http-files.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";

const store = temporaryStore();

const build = (context: string, ...args: string[]) => tsbuild(["build", "--progress", "plain", ...args, context], { store });

async function mustBuild(context: string, ...args: string[]): Promise<void> {
  const result = await build(context, ...args);
  expect(result.code, result.stderr).toBe(0);
}

/** The first line and the hint of what was printed. */
function problem(stderr: string): { readonly line: string; readonly hint: string } {
  const lines = stderr.split("\n");
  return { line: lines.find((line) => line.includes("error:")) ?? "", hint: lines.find((line) => line.includes("hint:"))?.trim() ?? "" };
}

describe("a lock file", needs("git"), () => {
  /** One of each, and what the file says of them. */
  async function withSources(
    work: (sources: { context: string; git: GitServer; web: HttpFiles; commit: string; image: string; lock: string }) => Promise<void>,
  ): Promise<void> {
    const base = await fakeImage({ layers: [{ f: "base" }] });
    await using registry = await startFakeRegistry();
    registry.putImage("team/base", "1", base);
    const [git, web] = await Promise.all([startGitServer(), startHttpFiles()]);
    try {
      const commit = await git.commit("lib", { lib: "lib" });
      web.serve("/tool", "tool");
      const name = `${registry.host}/team/base:1`;
      const context = contextDirectory({
        Dockerfile: `FROM scratch\nCOPY --from=${name} /f /f\nADD ${git.url("lib")}#main /lib\nADD ${web.url("/tool")} /tool\n`,
      });
      await work({ context, git, web, commit, image: base.digest, lock: join(context, "Dockerfile.lock") });
    } finally {
      await Promise.all([git.close(), web.close()]);
    }
  }

  it("has what a build took, and a locked build takes that again", async () => {
    await withSources(async ({ context, git, web, commit, image, lock }) => {
      await mustBuild(context, "--lock", lock);
      const name = /--from=(\S+)/.exec(readFileSync(join(context, "Dockerfile"), "utf8"))?.[1] ?? "";
      expect(JSON.parse(readFileSync(lock, "utf8"))).toEqual({
        version: 1,
        images: { [name]: { "linux/amd64": image } },
        git: { [git.url("lib")]: { main: commit } },
        http: { [web.url("/tool")]: digestOf("tool") },
      });
      const other = temporaryStore();
      for (const flags of [["--locked"], ["--locked", "--lock", lock], ["--hermetic"]]) {
        const again = await tsbuild(["build", ...flags, "--platform", "linux/amd64", context], { store: other });
        expect(again.code, again.stderr).toBe(0);
      }
    });
  });

  it("refuses a branch that moved, and takes it when it is told to", async () => {
    await withSources(async ({ context, git, commit, lock }) => {
      await mustBuild(context, "--lock", lock);
      const moved = await git.commit("lib", { lib: "changed" });
      const refused = await build(context, "--locked");
      expect(refused.code).toBe(1);
      expect(problem(refused.stderr)).toEqual({
        line: expect.stringContaining(
          `Dockerfile:3:1: error: checking ${git.url("lib")} (main) against the lock file ${lock}: locked is ${commit}, and now it is ${moved} [LOCK_DRIFT]`,
        ),
        hint: `hint: if that is meant, accept it: --lock ${lock} without --locked and --hermetic writes what is there now`,
      });
      await mustBuild(context, "--lock", lock);
      await mustBuild(context, "--locked");
      expect(readFileSync(lock, "utf8")).toContain(moved);
    });
  });

  it("refuses a file of the web that changed, and names no query of its URL", async () => {
    await withSources(async ({ context, web, lock }) => {
      writeFileSync(join(context, "Dockerfile"), `FROM scratch\nARG TOKEN\nADD ${web.url("/tool")}?token=$TOKEN /tool\n`);
      await mustBuild(context, "--lock", lock, "--build-arg", "TOKEN=hunter2");
      expect(readFileSync(lock, "utf8")).not.toContain("hunter2");
      web.serve("/tool", "changed");
      const refused = await build(context, "--locked", "--build-arg", "TOKEN=hunter2");
      expect(refused.code).toBe(1);
      expect(problem(refused.stderr).line).toContain(`locked is ${digestOf("tool")}, and now it is ${digestOf("changed")} [LOCK_DRIFT]`);
      expect(refused.stdout + refused.stderr).not.toContain("hunter2");
    });
  });

  it("refuses what it does not have", async () => {
    await withSources(async ({ context, git, lock }) => {
      await mustBuild(context, "--lock", lock);
      await git.commit("other", { f: "" });
      writeFileSync(join(context, "Dockerfile"), `FROM scratch\nADD ${git.url("other")} /other\n`);
      const refused = await build(context, "--locked");
      expect(refused.code).toBe(1);
      expect(problem(refused.stderr).line).toContain(
        `Dockerfile:2:1: error: checking ${git.url("other")} (HEAD): the lock file ${lock} does not have it; now it is `,
      );
    });
  });

  it("is not written by a build that fails", async () => {
    await withSources(async ({ context, lock }) => {
      await mustBuild(context, "--lock", lock);
      const before = readFileSync(lock, "utf8");
      writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY missing /\n");
      expect((await build(context, "--lock", lock)).code).toBe(1);
      expect(readFileSync(lock, "utf8")).toBe(before);
    });
  });
});

describe("a locked build", () => {
  beforeAll(() => importBusybox({ store }));

  it("says of all images at once that they are others", async () => {
    const other = await fakeImage({ layers: [{ f: "1" }] });
    await using registry = await startFakeRegistry();
    for (const name of ["a", "b"]) registry.putImage(name, "1", other);
    const context = contextDirectory({ Dockerfile: `FROM ${registry.host}/a:1\nCOPY --from=${registry.host}/b:1 /f /\n` });
    const lock = join(context, "Dockerfile.lock");
    await mustBuild(context, "--lock", lock);
    for (const name of ["a", "b"]) registry.putImage(name, "1", await fakeImage({ layers: [{ f: "2" }] }));
    const refused = await build(context, "--locked", "--pull");
    expect(refused.code).toBe(1);
    expect(refused.stderr.split("\n").filter((line) => line.includes("[LOCK_DRIFT]"))).toHaveLength(2);
    expect(refused.stderr).toContain("Dockerfile:1:1: error:");
    expect(refused.stderr).toContain("Dockerfile:2:1: error:");
  });

  it("needs a lock file where something comes from elsewhere, and only there", async () => {
    const nothing = contextDirectory({ Dockerfile: "FROM scratch\nCOPY f /f\n", f: "f" });
    await mustBuild(nothing, "--locked");
    await mustBuild(nothing, "--hermetic");
    const context = contextDirectory({ Dockerfile: "FROM busybox\n" });
    const refused = await build(context, "--locked");
    expect(refused.code).toBe(1);
    expect(problem(refused.stderr).line).toContain(`there is no lock file ${join(context, "Dockerfile.lock")}; now it is sha256:`);
  });

  it("says on which line a lock file is wrong", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\n", "Dockerfile.lock": '{\n  "version": 1,\n  "image": {}\n}\n' });
    const refused = await build(context, "--locked");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      `error: reading the lock file ${join(context, "Dockerfile.lock")}: line 3: a lock file has no field "image" [LOCK_INVALID]\n  hint: did you mean "images"?`,
    );
  });

  it("is not written over another file", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY f /\n", f: "f" });
    const refused = await build(context, "--lock", join(context, "f"));
    expect(refused.code).toBe(2);
    expect(problem(refused.stderr).hint).toBe(`hint: ${join(context, "f")} is no lock file, and would be replaced: name another`);
    expect(readFileSync(join(context, "f"), "utf8")).toBe("f");
  });

  it.each(["--dry-run", "--check", "--call=outline"])("is not written by %s, which says so", async (flag) => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY f /\n", f: "f" });
    const lock = join(context, "f.lock");
    const { code, stderr } = await build(context, "--lock", lock, flag);
    expect([code, existsSync(lock)]).toEqual([0, false]);
    expect(stderr).toContain(`nothing is built, and so the lock file ${lock} is not written`);
  });

  it("is refused where there is no place for a lock file", async () => {
    const refused = await tsbuild(["build", "--locked", "-"], { store, stdin: "FROM scratch\n" });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("name the lock file: --lock FILE");
  });

  it("holds images that were imported by the digests that they have in the store", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\n" });
    const lock = join(context, "Dockerfile.lock");
    await mustBuild(context, "--lock", lock);
    await mustBuild(context, "--locked");
    const listed = JSON.parse(await mustTsbuild(["inspect", "busybox"], { store })) as unknown;
    const [[, digest] = ["", ""]] = Object.entries(JSON.parse(readFileSync(lock, "utf8")).images["docker.io/library/busybox:latest"]);
    expect(JSON.stringify(listed)).toContain(digest);
  });
});

describe("a hermetic build", needs("sandbox"), () => {
  beforeAll(() => importBusybox({ store }));

  it("gives RUN no network", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox\nRUN test "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')" = lo\n`,
      Base: "FROM busybox\n",
    });
    await mustBuild(context, "-f", join(context, "Base"), "--lock", join(context, "Dockerfile.lock"));
    await mustBuild(context, "--hermetic");
  });

  it("refuses a RUN that asks for the host's", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nRUN --network=host true\n" });
    const refused = await build(context, "--hermetic");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("[HERMETIC_NETWORK]");
  });
});
