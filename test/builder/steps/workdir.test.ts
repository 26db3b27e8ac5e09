import { describe, expect, it } from "vitest";
import type { Files } from "../../../builder/steps/step.ts";
import { lookupWorkdir, workdirStep } from "../../../builder/steps/workdir.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry as dir, fileEntry as file, symlinkEntry as link } from "../../store/layer/samples.ts";
import { filesOf, noFiles, stepContext, temporaryStore } from "./step-context.ts";
import { shown } from "./trees.ts";

const base = [
  dir("etc", { mtime: 3 }),
  file("etc/passwd", "app:x:7:8::/:\n"),
  dir("srv", { mode: 0o700, uid: 1, gid: 2, mtime: 4, mtimeNsec: 5 }),
  link("lnk", "/srv"),
  link("out", "../../../srv"),
  link("loop", "loop"),
];

async function made(store: Store, files: Files, path: string, user = "", epoch?: number): Promise<string[]> {
  const outcome = await workdirStep({ op: "workdir", path, user }, files, stepContext(store, epoch === undefined ? {} : { epoch }));
  const { entries } = await store.layers.tree(outcome.layer.diffId);
  return shown(entries.filter((entry) => entry.kind !== "file"));
}

describe("WORKDIR", () => {
  it.each<[name: string, path: string, user: string, expected: string[]]>([
    ["makes a directory", "/w", "", ["d 755 0:0 315619200 w"]],
    ["makes what is above it too", "/a/b/c", "", ["d 755 0:0 315619200 a", "d 755 0:0 315619200 a/b", "d 755 0:0 315619200 a/b/c"]],
    [
      "makes it below one that is there, which stays as it is and gives its time",
      "/srv/w",
      "",
      ["d 700 1:2 4.5 srv", "d 755 0:0 4.5 srv/w"],
    ],
    ["makes it where a symlink leads", "/lnk/w", "", ["d 700 1:2 4.5 srv", "d 755 0:0 4.5 srv/w"]],
    ["makes it within the root, wherever a symlink leads", "/out/w", "", ["d 700 1:2 4.5 srv", "d 755 0:0 4.5 srv/w"]],
    ["makes nothing where it is there", "/srv", "", []],
    ["makes nothing where a symlink leads to it", "/lnk", "", []],
    ["makes it for the user", "/a/b", "app", ["d 755 7:8 315619200 a", "d 755 7:8 315619200 a/b"]],
    ["makes it for a user by number", "/w", "7", ["d 755 7:8 315619200 w"]],
    ["makes it for user and group", "/w", "app:33", ["d 755 7:33 315619200 w"]],
    ["leaves a directory that is there to its owner", "/srv", "app", []],
  ])("%s", async (_name, path, user, expected) => {
    await using store = await temporaryStore();
    expect(await made(store, await filesOf(store, base), path, user)).toEqual(expected);
  });

  it("makes an empty layer in scratch's own root", async () => {
    await using store = await temporaryStore();
    expect(await made(store, noFiles, "/w")).toEqual(["d 755 0:0 315619200 w"]);
  });

  it("clamps times to the epoch", async () => {
    await using store = await temporaryStore();
    expect(await made(store, await filesOf(store, base), "/srv/w", "", 2)).toEqual(["d 700 1:2 2 srv", "d 755 0:0 2 srv/w"]);
  });

  it("is cached the second time, and not on another parent or for another user", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, base);
    const other = await filesOf(store, [...base, file("x")]);
    const run = (user: string, on: Files) => workdirStep({ op: "workdir", path: "/w", user }, on, stepContext(store, { now: () => 5 }));
    const first = await run("", files);
    expect(first).toMatchObject({ cached: false, created: "1970-01-01T00:00:00.005Z" });
    expect(await workdirStep({ op: "workdir", path: "/w", user: "" }, files, stepContext(store, { now: () => 9 }))).toEqual({
      ...first,
      cached: true,
    });
    const look = (useCache: boolean) => lookupWorkdir({ op: "workdir", path: "/w", user: "" }, files, stepContext(store, { useCache }));
    expect([await look(true), await look(false)]).toEqual([{ ...first, cached: true }, undefined]);
    expect([(await run("", other)).cached, (await run("app", files)).cached]).toEqual([false, false]);
  });

  it.each<[name: string, path: string, user: string, expected: { code: string; message: string }]>([
    [
      "a file",
      "/etc/passwd",
      "",
      { code: "WORKDIR_NOT_DIRECTORY", message: 'making the working directory /etc/passwd: "/etc/passwd" is not a directory' },
    ],
    [
      "below a file",
      "/etc/passwd/w",
      "",
      { code: "WORKDIR_NOT_DIRECTORY", message: 'making the working directory /etc/passwd/w: "/etc/passwd" is not a directory' },
    ],
    ["where symlinks lead in a circle", "/loop", "", { code: "SYMLINK_LOOP", message: 'resolving "/loop": too many symlinks' }],
    [
      "for a user that nobody is",
      "/w",
      "nobody",
      { code: "UNKNOWN_USER", message: `looking for the user "nobody": the image's /etc/passwd has no such name` },
    ],
  ])("fails at %s", async (_name, path, user, expected) => {
    await using store = await temporaryStore();
    await expect(made(store, await filesOf(store, base), path, user)).rejects.toMatchObject(expected);
  });
});
