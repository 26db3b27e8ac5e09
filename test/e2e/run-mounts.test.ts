import { chmodSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { type CliOptions, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { mountPoints } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";
import { ranSteps } from "../support/progress.ts";
import { createUser } from "../support/users.ts";

/** The ways to make a sandbox: as root, in a user namespace as root without the right to mount, and as users with and without sub-ids. */
const ROWS = [
  { name: "root", make: () => ({ store: temporaryStore() }) },
  {
    name: "root without CAP_SYS_ADMIN",
    make: () => ({ store: temporaryStore(), prefix: ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-all"] }),
  },
  { name: "a user with sub-ids", make: () => ({ user: createUser({ uid: 4901, subIds: true }) }) },
  { name: "a user without sub-ids", make: () => ({ user: createUser({ uid: 4902, subIds: false }) }) },
] as const;

async function build(options: CliOptions, context: string, args: readonly string[] = []): Promise<string> {
  const { code, stderr } = await tsbuild(["build", "--progress", "plain", "--network", "none", "-t", "app", ...args, context], options);
  expect(code, stderr).toBe(0);
  return stderr;
}

describe.each(ROWS)("RUN --mount of $name", needs("root", "privateMounts", "userNamespaces", "subIds"), ({ make }) => {
  let options: CliOptions;
  beforeAll(async () => {
    options = make();
    await importBusybox(options);
  });
  const cat = (path: string) => mustTsbuild(["run", "--rm", "app", "cat", path], options);

  it("shows the context, a stage and an image, and memory", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox AS tools
RUN mkdir -p /opt/bin && printf '#!/bin/sh\\necho "tool $1"\\n' > /opt/bin/tool && chmod 755 /opt/bin/tool
FROM busybox
WORKDIR /work
RUN --mount=target=/src \\
    --mount=from=tools,source=/opt/bin,target=tools \\
    --mount=from=busybox,source=/etc/passwd,target=/passwd \\
    --mount=type=tmpfs,target=/ram,size=1m \\
    cat /src/sub/file > /out && tools/tool works >> /out && head -n 1 /passwd >> /out && echo x > /ram/x && ls /ram >> /out
`,
      "sub/file": "of the context\n",
      "left.out": "",
      ".dockerignore": "*.out\n",
    });
    await build(options, context);
    expect(await cat("/out")).toBe("of the context\ntool works\nroot:x:0:0:root:/root:/bin/sh\nx\n");
    expect(await mustTsbuild(["run", "--rm", "app", "sh", "-c", "ls -A / /work"], options)).not.toMatch(/src|ram|tools/);
  });

  it("is read-only, or loses what is written", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
RUN --mount=target=/ro --mount=target=/rw,rw sh -c '{ echo x > /ro/file; } 2>&1 | grep -o "Read-only file system"; echo written > /rw/file; rm /rw/other; mkdir /rw/d; cat /rw/file; ls /rw' > /out
RUN --mount=target=/rw,rw cat /rw/file >> /out
`,
      file: "of the context\n",
      other: "",
    });
    await build(options, context);
    expect(await cat("/out")).toBe("Read-only file system\nwritten\nDockerfile\nd\nfile\nof the context\n");
    expect(readdirSync(context).sort()).toEqual(["Dockerfile", "file", "other"]);
    expect(readFileSync(join(context, "file"), "utf8")).toBe("of the context\n");
    expect(await mustTsbuild(["run", "--rm", "app", "ls", "/"], options)).not.toMatch(/^r[ow]$/m);
  });

  it("is cached while what it shows is the same", async () => {
    const dockerfile = (from: string) => `FROM busybox AS a
RUN mkdir /made && echo made > /made/file
FROM busybox AS b
RUN mkdir /made && sleep 0 && echo made > /made/file
FROM busybox
RUN --mount=from=${from},source=made,target=/m cat /m/file > /out
RUN --mount=target=/src cat /src/sub/file >> /out
`;
    const context = contextDirectory({ Dockerfile: dockerfile("a"), "sub/file": "1\n", ".dockerignore": "*\n!sub\n" });
    await build(options, context);
    expect(ranSteps(await build(options, context))).toEqual([]);
    utimesSync(join(context, "sub/file"), 5, 5);
    expect(ranSteps(await build(options, context))).toEqual([]);
    // Ignored, and so not shown: another stage's equal content is no change either.
    writeFileSync(join(context, "Dockerfile"), dockerfile("b"));
    expect(ranSteps(await build(options, context)).filter((title) => title.includes("--mount"))).toEqual([]);
    writeFileSync(join(context, "sub/file"), "2\n");
    expect(ranSteps(await build(options, context))).toEqual(["RUN --mount=target=/src cat /src/sub/file >> /out"]);
    expect(await cat("/out")).toBe("made\n2\n");
  });

  it("leaves the machine's mounts as they are, and no scratch in the store", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN --mount=target=/m,rw echo x > /m/left; echo done > /out\n" });
    const before = mountPoints();
    await build(options, context);
    expect(mountPoints()).toEqual(before);
    const store = options.store ?? `${options.user?.home}/.local/share/tsbuild`;
    const scratch = readdirSync(join(store, "v1/tmp"));
    expect(scratch).toEqual([]);
  });
});

describe("RUN --mount", needs("sandbox"), () => {
  let store: string;
  beforeAll(async () => {
    store = temporaryStore();
    await importBusybox({ store });
  });
  const out = () => mustTsbuild(["run", "--rm", "app", "cat", "/out"], { store });
  const refused = async (dockerfile: string, files: Readonly<Record<string, string>> = {}) => {
    const context = contextDirectory({ Dockerfile: dockerfile, ...files });
    const { code, stderr } = await tsbuild(["build", "--progress", "plain", "--network", "none", context], { store });
    expect(code, stderr).toBe(1);
    return stderr;
  };

  it("gives in two stores the same image", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox AS made
RUN echo made > /file
FROM busybox
RUN --mount=target=/new/src --mount=from=made,target=/new/root,rw --mount=type=tmpfs,target=/ram cat /new/src/file /new/root/file > /out; touch /new/root/x
`,
      file: "x\n",
    });
    const other = temporaryStore();
    const env = { SOURCE_DATE_EPOCH: "1000000000" };
    const ids = [];
    for (const at of [temporaryStore(), other]) {
      await importBusybox({ store: at, env });
      await build({ store: at, env }, context);
      ids.push(readLayoutImage(at, "app").imageId);
    }
    expect(ids[0]).toBe(ids[1]);
    rmSync(other, { recursive: true });
  });

  it("of a user of the image is that user's", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
RUN mkdir -m 777 /data
USER 1000:1000
RUN --mount=target=/src,rw --mount=type=tmpfs,target=/ram id -u > /data/out; cat /src/file >> /data/out; echo x > /ram/x && cat /ram/x >> /data/out; { echo x > /src/file; } 2>&1 | grep -o 'Permission denied' >> /data/out
`,
      file: "x\n",
    });
    await build({ store }, context);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/data/out"], { store })).toBe("1000\nx\nx\nPermission denied\n");
  });

  it("keeps the modes of the context's directories: another user reads no more than they allow", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
RUN mkdir -m 777 /data
USER 1000:1000
RUN --mount=source=closed,target=/src cat /src/file > /data/out 2>&1; stat -c %a /src >> /data/out
`,
      "closed/file": "x\n",
    });
    await build({ store }, context);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/data/out"], { store })).toBe("x\n755\n");
    chmodSync(join(context, "closed"), 0o700);
    await build({ store }, context);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/data/out"], { store })).toBe(
      "cat: can't open '/src/file': Permission denied\n700\n",
    );
  });

  it("works from scratch, and on a stage without any layer", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM scratch AS empty
FROM scratch
RUN --mount=from=busybox,target=/box --mount=from=empty,target=/empty ["/box/bin/busybox", "sh", "-c", "/box/bin/busybox ls -A /empty > /out; echo done >> /out"]
`,
    });
    await build({ store }, context);
    const { config } = readLayoutImage(store, "app");
    expect(config.rootfs.diff_ids).toHaveLength(1);
    const second = contextDirectory({
      Dockerfile: "FROM app AS app\nFROM busybox\nRUN --mount=from=app,target=/app cat /app/out > /out; ls -A /app >> /out\n",
    });
    await build({ store }, second);
    expect(await out()).toBe("done\nout\n");
  });

  it("of equal targets shows the last, and inner mounts stand in outer ones", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
RUN --mount=source=b,target=/m/in --mount=source=a,target=/m --mount=source=a,target=/same --mount=source=b,target=/same cat /m/file /m/in/file /same/file > /out
`,
      "a/file": "a\n",
      "a/in/hidden": "",
      "b/file": "b\n",
    });
    await build({ store }, context);
    expect(await out()).toBe("a\nb\nb\n");
  });

  it.each([
    [
      "in the context",
      "--mount=source=no/such,target=/m",
      /mounting on \/m: looking for "no\/such" in the build context \S+: no such file or directory/,
    ],
    [
      "in a stage",
      "--mount=from=base,source=no/such,target=/m",
      /mounting on \/m: looking for "\/no\/such" in stage \S*base\S*: no such file or directory/,
    ],
    [
      "in an image",
      "--mount=from=busybox,source=/no/such,target=/m",
      /mounting on \/m: looking for "\/no\/such" in image "\S*busybox\S*": no such file or directory/,
    ],
    [
      "that is ignored",
      "--mount=source=a.log,target=/m",
      /mounting on \/m: looking for "a.log" in the build context \S+: excluded by \S+\/\.dockerignore:1: \*\.log/,
    ],
  ])("of a source that is missing is refused: %s", async (_name, mount, message) => {
    const stderr = await refused(`FROM busybox AS base\nFROM base\nRUN ${mount} true\n`, { "a.log": "", ".dockerignore": "*.log\n" });
    expect(stderr).toMatch(new RegExp(`Dockerfile:3:1: error: ${message.source}.* \\[MOUNT_SOURCE_NOT_FOUND\\]`));
  });

  it("inside a read-only mount that lacks the target is refused with the remedy", async () => {
    const stderr = await refused("FROM busybox\nRUN --mount=target=/m --mount=type=tmpfs,target=/m/ram true\n");
    expect(stderr).toContain("mounting on /m/ram: it is missing in a mount that is read-only");
    expect(stderr).toContain("[MOUNT_TARGET_REFUSED]\n");
    expect(stderr).toContain("hint: make the outer mount writable (rw), or have the path in its source");
  });

  it.each([
    ["a symlink of the context", "--mount=source=evil,target=/m", "cat /m"],
    ["a path through a symlink of the context", "--mount=source=evil/../secret,target=/m", "cat /m"],
    ["dots", "--mount=source=../../../../../../../../etc/hostname,target=/m", "cat /m"],
    ["dots in a stage", "--mount=from=base,source=../../../../../../../../../secret,target=/m", "cat /m"],
    ["a symlink of a stage", "--mount=from=base,source=/evil,target=/m", "cat /m"],
    ["a symlink of a stage to /proc", "--mount=from=base,source=/root-of-proc,target=/m", "cat /m/secret"],
  ])("cannot show a file of the host by %s", async (_name, mount, script) => {
    const host = contextDirectory({ secret: "SECRET OF THE HOST\n" });
    const context = contextDirectory({
      Dockerfile: `FROM busybox AS base
RUN ln -s ${host}/secret /evil; ln -s /proc/1/root${host} /root-of-proc
FROM busybox
RUN ${mount} ${script}
`,
    });
    symlinkSync(`${host}/secret`, join(context, "evil"));
    const { code, stdout, stderr } = await tsbuild(["build", "--progress", "plain", "--network", "none", context], { store });
    expect(code).toBe(1);
    expect(stdout + stderr, "A FILE OF THE HOST WAS SHOWN").not.toContain("SECRET OF THE HOST");
  });

  it("cannot be led to the host by a symlink that an earlier step put in the place of the target", async () => {
    const host = contextDirectory({ kept: "" });
    const context = contextDirectory({
      Dockerfile: `FROM busybox
RUN ln -s ${host} /target
RUN --mount=source=file,target=/target/made cat ${host}/made > /out
`,
      file: "inside\n",
    });
    await build({ store }, context);
    expect(await out()).toBe("inside\n");
    expect(readdirSync(host), "A MOUNT POINT WAS MADE ON THE HOST").toEqual(["kept"]);
  });

  it.each(["/proc", "/proc/sys", "/sys/kernel", "/dev", "/"])(
    "cannot cover %s, which is the sandbox's own, by a symlink",
    async (place) => {
      const stderr = await refused(`FROM busybox\nRUN ln -s ${place} /link\nRUN --mount=target=/link true\n`);
      expect(stderr).toContain("mounting on /link: symlinks lead it to what is the sandbox's own (/, /dev, /proc or /sys)");
    },
  );

  it.each(["/proc", "/proc/sys", "/sys/kernel", "/dev", "/", "/a/.."])(
    "on %s, which is the sandbox's own, is refused by the plan",
    async (place) => {
      const stderr = await refused(`FROM busybox\nRUN echo first\nRUN --mount=target=${place} true\n`);
      expect(stderr).toMatch(/^\S+\/Dockerfile:3:\d+: error: .* \[INVALID_MOUNT\]$/m);
      expect(stderr).not.toContain("#");
    },
  );
});
