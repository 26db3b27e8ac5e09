import { afterEach, describe, expect, it } from "vitest";
import type { RunMount } from "../../../builder/plan/operation.ts";
import type { RunInputs } from "../../../builder/steps/run-inputs.ts";
import type { Files } from "../../../builder/steps/step.ts";
import { digestOf } from "../../../store/digest.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry, fileEntry, symlinkEntry, whiteout } from "../../store/layer/samples.ts";
import { needs } from "../../support/needs.ts";
import { bind, busyboxFiles, runner, runOperation } from "./run-box.ts";
import { filesOf, stepContext, temporaryStore } from "./step-context.ts";

describe("mounts of a RUN", needs("sandbox"), () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  /** Runs a script on busybox; each bind mount shows the layers of its `origin.image`, by name. */
  async function run(
    script: string,
    mounts: readonly RunMount[],
    shown: Readonly<Record<string, (store: Store) => Promise<Files>>> = {},
    below: readonly SourceEntry[] = [],
  ) {
    const store = await temporaryStore();
    const context = stepContext(store);
    const steps = runner(store, context);
    open.push(steps, store);
    const inputs: RunInputs = {
      bind({ origin, source }) {
        const name = origin.from === "image" ? origin.image : "";
        return {
          digest: async () => digestOf(name),
          known: async () => digestOf(name),
          async open() {
            const { layers } = await (shown[name] ?? filesOf)(store, []);
            const { entry } = (await context.rootfs(layers)).resolve(source as never, { followLast: true });
            return { layers, source: `/${source}`, isFile: entry?.kind === "file" };
          },
        };
      },
    };
    const outcome = await steps.run(runOperation(script, { mounts }), await busyboxFiles(store, below), inputs);
    const tree = await store.layers.tree(outcome.layer.diffId);
    return {
      ...outcome,
      lines: outcome.output.split("\n").slice(0, -1),
      changed: tree.entries.map(({ kind, path }) => `${kind} /${path}`),
    };
  }

  const image = (...entries: SourceEntry[]) => ({ a: (store: Store) => filesOf(store, entries) });
  const from = { origin: { from: "image", image: "a" } } as const;

  it("leave nothing in the layer: no mount point, no directory above one, no time", async () => {
    const below = [directoryEntry("data", { mtime: 5 }), symlinkEntry("link", "data/real")];
    const { lines, changed } = await run(
      "stat -c %Y /data; cat /data/deep/m/file /link/m/file /top; ls /ram",
      [
        bind("/data/deep/m", from),
        bind("/link/m", from),
        bind("/top", { ...from, source: "file" }),
        { type: "tmpfs", target: "/not/there/ram" },
        { type: "tmpfs", target: "/ram" },
      ],
      image(fileEntry("file", "x\n")),
      below,
    );
    expect(lines).toEqual(["5", "x", "x", "x"]);
    expect(changed).toEqual([]);
  });

  it("keep in the layer what the command makes beside them", async () => {
    const { changed } = await run("echo x > /new/beside; echo y > /new/m/inside", [bind("/new/m", { ...from, readOnly: false })], image());
    expect(changed).toEqual(["directory /new", "file /new/beside"]);
  });

  it("are read-only unless rw is said, and then what is written is lost", async () => {
    const { lines, changed } = await run(
      "exec 2>&1; echo x > /ro/file; echo x > /rw/file && rm /rw/gone && mkdir /rw/d && cat /rw/file && ls /rw",
      [bind("/ro", from), bind("/rw", { ...from, readOnly: false })],
      image(fileEntry("file", "before\n"), fileEntry("gone")),
    );
    expect(lines).toEqual(["/bin/sh: can't create /ro/file: Read-only file system", "x", "d", "file"]);
    expect(changed).toEqual([]);
  });

  it.each<[string, SourceEntry[][], string[]]>([
    ["no layers", [], [".", ".."]],
    ["one layer", [[fileEntry("a")]], [".", "..", "a"]],
    ["one layer that removes what is not there", [[fileEntry("a"), whiteout("b")]], [".", "..", "a"]],
    ["a layer that removes what a lower one has", [[fileEntry("a"), fileEntry("b")], [whiteout("a")]], [".", "..", "b"]],
    ["the same layer twice", [[fileEntry("a")], [whiteout("a")], [fileEntry("a")]], [".", "..", "a"]],
  ])("show %s", async (_name, layers, names) => {
    const shown = {
      a: async (store: Store): Promise<Files> => {
        const all = [];
        for (const entries of layers) all.push(...(await filesOf(store, entries)).layers);
        return { layers: all, chain: digestOf("") };
      },
    };
    expect((await run("ls -a /ro; ls -a /rw", [bind("/ro", from), bind("/rw", { ...from, readOnly: false })], shown)).lines).toEqual([
      ...names,
      ...names,
    ]);
  });

  it("show the root directory with the mode that the layers give it", async () => {
    const { lines } = await run(
      "stat -c %a /ro /rw",
      [bind("/ro", from), bind("/rw", { ...from, readOnly: false })],
      image(directoryEntry("", { mode: 0o750 }), fileEntry("a")),
    );
    expect(lines).toEqual(["750", "750"]);
  });

  it("of equal targets show the last, and of nested ones the inner, however they are written", async () => {
    const shown = {
      a: (store: Store) => filesOf(store, [directoryEntry("in"), fileEntry("file", "a\n")]),
      b: (store: Store) => filesOf(store, [fileEntry("file", "b\n")]),
    };
    const b = { origin: { from: "image", image: "b" } } as const;
    const { lines } = await run(
      "cat /m/file /m/in/file /same/file",
      [bind("/m/in", b), bind("/m", from), bind("/same", from), bind("/same", b)],
      shown,
    );
    expect(lines).toEqual(["a", "b", "b"]);
  });

  it("of tmpfs have the size asked for, the mode of the directory that they cover, and nothing of the layer", async () => {
    const { lines, changed } = await run(
      "stat -c %a /keep /new; mount | grep ' /keep ' | tr ',' '\\n' | grep -E 'size|nosuid|nodev'; ls /keep; echo x > /keep/y; head -c 20000 /dev/zero 2>&1 > /keep/z | grep -c error; stat -c %s /keep/z",
      [
        { type: "tmpfs", target: "/keep", sizeBytes: 8192 },
        { type: "tmpfs", target: "/new" },
      ],
      {},
      [directoryEntry("keep", { mode: 0o711 }), fileEntry("keep/file")],
    );
    expect(lines).toEqual(["711", "1777", expect.stringContaining("nosuid"), "nodev", "size=8k", "1", "4096"]);
    expect(changed).toEqual([]);
  });

  it.each<[string, readonly RunMount[], string]>([
    [
      "a target that a read-only mount lacks",
      [bind("/m", from), { type: "tmpfs", target: "/m/ram" }],
      "mounting on /m/ram: it is missing in a mount that is read-only: EROFS, mkdirat",
    ],
    [
      "a target below a mounted file",
      [bind("/f", { ...from, source: "file" }), bind("/f/below", from)],
      "mounting on /f: a file and a directory cannot be mounted on each other, nor anything below a file: EINVAL, move_mount",
    ],
    [
      "a file on a directory",
      [bind("/bin", { ...from, source: "file" })],
      "mounting on /bin: a file and a directory cannot be mounted on each other, nor anything below a file: EINVAL, move_mount",
    ],
    [
      "a target that a symlink leads into /proc",
      [bind("/evil", from)],
      "mounting on /evil: symlinks lead it to what is the sandbox's own (/, /dev, /proc or /sys): EBUSY, fstatfs",
    ],
  ])("fail with a sentence for %s", async (_name, mounts, message) => {
    const failing = run("true", mounts, image(fileEntry("file")), [symlinkEntry("evil", "proc/sys")]);
    await expect(failing).rejects.toMatchObject({ code: "MOUNT_TARGET_REFUSED", message });
  });
});
