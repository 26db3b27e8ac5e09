import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { busyboxTar, importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { withContainerRoot } from "../support/container-root.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

/** Mount points that only the container has. */
const MOUNTED = ["proc", "sys", "dev", "etc/resolv.conf", "etc/hosts", "etc/hostname"];

/** Every path below a root as find and getfattr see it: type, mode, owners, size, time, links, and all attributes. */
async function treeOf(root: string): Promise<{ files: string[]; xattrs: string[] }> {
  const prune = MOUNTED.flatMap((path) => ["-path", `./${path}`, "-prune", "-o"]);
  // Sizes and link counts of directories belong to the file system, not to the tree.
  const formats = ["-type", "d", "-printf", "%P %y %m %U:%G %T@\\n", "-o", "-printf", "%P %y %m %U:%G %s %n %T@ %l\\n"];
  const listing = await mustRun(["find", ".", "-xdev", "-mindepth", "1", ...prune, ...formats], { cwd: root });
  const paths = await mustRun(["find", ".", "-xdev", "-mindepth", "1", ...prune, "-print0"], { cwd: root });
  const dump = await mustRun(["xargs", "-0", "getfattr", "--no-dereference", "--dump", "--match=-", "--encoding=hex"], {
    cwd: root,
    stdin: paths,
  });
  return { files: listing.trim().split("\n").sort(), xattrs: dump.trim().split("\n\n").sort() };
}

describe("other tools", needs("root", "sandbox", "skopeo", "umoci", "attr", "setcap"), () => {
  beforeAll(async () => {
    await importBusybox({ store });
    // A base with what a RUN of busybox cannot make: attributes and capabilities.
    const root = join(temporaryDirectory("attributes"), "root");
    mkdirSync(root);
    await mustRun(["tar", "-C", root, "-xpf", busyboxTar()]);
    writeFileSync(join(root, "attributed"), "x");
    await mustRun(["setfattr", "-n", "user.note", "-v", "0x00ff0a", join(root, "attributed")]);
    await mustRun(["cp", join(root, "bin/busybox"), join(root, "capable")]);
    await mustRun(["setcap", "cap_net_bind_service=ep", join(root, "capable")]);
    const tar = join(root, "../base.tar");
    await mustRun(["tar", "-C", root, "--xattrs", "--xattrs-include=*", "-cf", tar, "."]);
    await mustTsbuild(["import", tar, "attributes"], { store });
    const context = contextDirectory({
      Dockerfile: `FROM attributes
RUN mkdir -p /replaced/old && touch /replaced/old/file /removed && ln -s nowhere /dangling && touch -d '2003-04-05 06:07:08' /etc/group
RUN rm -r /replaced /removed && mkdir /replaced && echo new > /replaced/new
RUN echo 1 > /one && ln /one /other && chmod 6755 /one && mkfifo /fifo && mknod /device c 1 7 && mkdir -m 1777 /sticky && chown 12345:54321 /sticky
COPY --chown=1:2 data /data/
RUN cp /capable /copied && rm /tmp -r && mkdir /tmp && chmod 1777 /tmp
WORKDIR /made/by/workdir
CMD ["sh"]
`,
      "data/ünïcödé": "u\n",
      "data/a b/c'd": "q\n",
    });
    await mustTsbuild(["-t", "app", "--progress", "plain", context], { store });
  });

  it("skopeo reads the store as it is", async () => {
    const inspected = JSON.parse(await mustRun(["skopeo", "inspect", `oci:${store}:app`]));
    const image = readLayoutImage(store, "app");
    expect(inspected.Layers).toEqual(image.manifest.layers.map((layer) => layer.digest));
    // The bytes, not what skopeo makes of them: it writes times in a form of its own.
    const config = await mustRun(["skopeo", "inspect", "--config", "--raw", `oci:${store}:app`]);
    expect(`sha256:${createHash("sha256").update(config).digest("hex")}`).toBe(image.imageId);
    expect(JSON.parse(config)).toEqual(image.config);
  });

  it("skopeo reads the saved archive, and we read what skopeo copies", async () => {
    const directory = temporaryDirectory();
    const archive = join(directory, "app.tar");
    await mustTsbuild(["save", "app", "-o", archive], { store });
    const inspected = JSON.parse(await mustRun(["skopeo", "inspect", `oci-archive:${archive}:app`]));
    expect(inspected.Layers).toEqual(readLayoutImage(store, "app").manifest.layers.map((layer) => layer.digest));
    const copy = join(directory, "copy.tar");
    await mustRun(["skopeo", "copy", `oci:${store}:app`, `oci-archive:${copy}:app`]);
    const other = temporaryStore();
    await mustTsbuild(["load", copy], { store: other });
    expect(readLayoutImage(other, "app").imageId).toBe(readLayoutImage(store, "app").imageId);
  });

  it("umoci unpacks what a container sees, from the store and from the saved directory", async () => {
    const directory = temporaryDirectory();
    await mustTsbuild(["save", "app", "-o", `${directory}/saved/`], { store });
    await mustRun(["umoci", "unpack", "--image", `${store}:app`, join(directory, "one")]);
    await mustRun(["umoci", "unpack", "--image", `${directory}/saved:app`, join(directory, "two")]);
    const seen = await withContainerRoot("app", { store }, treeOf);
    const one = await treeOf(join(directory, "one/rootfs"));
    expect(seen.files).toEqual(one.files);
    expect(seen.xattrs).toEqual(one.xattrs);
    expect(await treeOf(join(directory, "two/rootfs"))).toEqual(one);
    expect(seen.xattrs.join("\n")).toMatch(/user\.note=0x00ff0a/);
    expect(seen.xattrs.join("\n")).toMatch(/# file: capable\nsecurity\.capability=/);
    expect(seen.files.some((line) => line.startsWith("removed "))).toBe(false);
  });

  it("tar and umoci see what is exported as the files of a container", async () => {
    const directory = temporaryDirectory();
    await mustTsbuild(["export", "app", "-o", join(directory, "root.tar")], { store });
    await mustTsbuild(["export", "app", "-o", `${directory}/exported/`], { store });
    mkdirSync(join(directory, "unpacked"));
    const tar = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", join(directory, "root.tar")] as const;
    await mustRun([...tar, "-C", join(directory, "unpacked")]);
    await mustRun(["umoci", "unpack", "--image", `${store}:app`, join(directory, "bundle")]);
    const wanted = await treeOf(join(directory, "bundle/rootfs"));
    expect(await treeOf(join(directory, "exported"))).toEqual(wanted);
    expect(await treeOf(join(directory, "unpacked"))).toEqual(wanted);
  });

  it("umoci unpacks the same of a squashed image", async () => {
    const directory = temporaryDirectory();
    const context = contextDirectory({
      Dockerfile: "FROM app\nRUN rm -r /replaced && rm /one && echo 1 > /fresh\nRUN mkdir /replaced && touch /replaced/again\n",
    });
    for (const [name, ...flags] of [["whole"], ["squashed", "--squash"], ["flat", "--squash-all"]] as const) {
      await mustTsbuild(["-t", name, ...flags, "--progress", "plain", context], { store });
      await mustRun(["umoci", "unpack", "--image", `${store}:${name}`, join(directory, name)]);
    }
    const wanted = await treeOf(join(directory, "whole/rootfs"));
    expect(wanted.files.filter((line) => /^(replaced|one|fresh)/.test(line)).map((line) => line.split(" ")[0])).toEqual([
      "fresh",
      "replaced",
      "replaced/again",
    ]);
    expect(await treeOf(join(directory, "squashed/rootfs"))).toEqual(wanted);
    expect(await treeOf(join(directory, "flat/rootfs"))).toEqual(wanted);
  });
});
