import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { BuildOptions } from "../../builder/options.ts";
import { contextDirectory } from "../support/context.ts";
import { startGitServer } from "../support/git-server.ts";
import { type HttpFiles, startHttpFiles } from "../support/http-files.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory, temporaryPath } from "../support/temporary.ts";

interface Place {
  readonly registry: FakeRegistry;
  readonly web: HttpFiles;
  /** Builds, writing the lock file unless that is not wanted, and gives the notes. */
  build(dockerfile: string, change?: Partial<BuildOptions>, isLocked?: boolean): Promise<readonly string[]>;
  locked(): Record<"images" | "git" | "http", Record<string, unknown>>;
}

async function inPlace(work: (place: Place) => Promise<void>): Promise<void> {
  await using registry = await startFakeRegistry();
  registry.putImage("base", "1", await fakeImage({ layers: [{ f: "base" }] }));
  registry.putImage("other", "1", await fakeImage({ layers: [{ f: "other" }] }));
  const web = await startHttpFiles();
  const file = join(temporaryDirectory("lock"), "app.lock");
  const store = temporaryPath("store");
  try {
    await work({
      registry,
      web,
      async build(dockerfile, change = {}, isLocked = true) {
        const notes: string[] = [];
        await build({
          context: contextDirectory({ Dockerfile: dockerfile }),
          store,
          platform: "linux/amd64",
          ...(isLocked ? { lock: { file, locked: false } } : {}),
          onEvent: (event) => event.type === "note" && notes.push(event.message),
          ...change,
        });
        return notes;
      },
      locked: () => JSON.parse(readFileSync(file, "utf8")),
    });
  } finally {
    await web.close();
  }
}

describe("a lock file written by a build of one target", () => {
  it("has what the other stages take", needs("git"), async () => {
    const git = await startGitServer();
    try {
      await git.commit("lib", { f: "f" });
      await inPlace(async ({ registry: { host }, web, build, locked }) => {
        web.serve("/tool", "tool");
        const text = `FROM ${host}/base:1 AS a
FROM scratch
ADD ${git.url("lib")}#main /lib
FROM ${host}/other:1 AS b
ADD ${web.url("/tool")} /tool
`;
        expect(await build(text, { target: "a" })).toEqual([]);
        expect(locked()).toMatchObject({
          images: { [`${host}/base:1`]: {}, [`${host}/other:1`]: {} },
          git: { [git.url("lib")]: { main: expect.any(String) } },
          http: { [web.url("/tool")]: expect.any(String) },
        });
        const whole = locked();
        await build(text, { target: "b" });
        await build(text, { target: "*" });
        expect(locked()).toEqual(whole);
      });
    } finally {
      await git.close();
    }
  });

  it("loses what no stage takes any more", async () => {
    await inPlace(async ({ registry: { host }, build, locked }) => {
      await build(`FROM ${host}/base:1 AS a\nFROM ${host}/other:1 AS b\n`);
      await build(`FROM ${host}/base:1 AS a\nFROM scratch AS b\nLABEL a=b\n`, { target: "a" });
      expect(Object.keys(locked().images)).toEqual([`${host}/base:1`]);
    });
  });

  it("keeps what it had where a stage cannot be asked, and says so", async () => {
    await inPlace(async ({ registry: { host }, build, locked }) => {
      await build(`FROM ${host}/base:1 AS a\nFROM ${host}/other:1 AS b\n`);
      const missing = await build(`FROM ${host}/base:1 AS a\nFROM ${host}/missing:1 AS b\n`, { target: "a" });
      expect(missing).toEqual([
        expect.stringMatching(/^what the stage b takes could not be locked, and the lock file keeps what it had: .*missing/),
      ]);
      const unset = await build(`ARG BASE\nFROM ${host}/base:1 AS a\nFROM $BASE\n`, { target: "a" });
      expect(unset).toEqual([expect.stringMatching(/^what the stage stage-1 takes could not be locked, .*expands to nothing$/)]);
      expect(Object.keys(locked().images)).toEqual([`${host}/base:1`, `${host}/other:1`]);
    });
  });

  it("is what makes them be asked", async () => {
    await inPlace(async ({ registry, build }) => {
      const text = `FROM ${registry.host}/base:1 AS a\nFROM ${registry.host}/other:1 AS b\n`;
      const isOther = ({ path }: { readonly path: string }) => path.includes("/other/");
      await build(text, { target: "a" }, false);
      expect(registry.requests.filter(isOther)).toEqual([]);
      await build(text, { target: "a" });
      expect(registry.requests.filter(isOther)).not.toEqual([]);
    });
  });
});
