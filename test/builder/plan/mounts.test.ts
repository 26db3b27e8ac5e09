import { describe, expect, it } from "vitest";
import type { RunMount, RunOperation } from "../../../builder/plan/operation.ts";
import { type Planning, planError, planned } from "./planned.ts";

function run(text: string, options: Planning = {}): RunOperation {
  const operation = planned(text, options).target.steps.at(-1)?.operation;
  if (operation?.op !== "run") throw new Error("the last step is no RUN");
  return operation;
}

const mountsOf = (flags: string, before = "", options: Planning = {}): readonly RunMount[] =>
  run(`FROM i\n${before}RUN ${flags} x`, options).mounts;

describe("a mount of RUN", () => {
  const owned = { uid: 0, gid: 0 };

  it.each<[name: string, flags: string, mounts: RunMount[], before?: string]>([
    [
      "bind: the context's root, to be read",
      "--mount=target=/a",
      [{ type: "bind", target: "/a", origin: { from: "context" }, source: "", readOnly: true }],
    ],
    [
      "bind: everything given",
      "--mount=type=bind,source=/s/../t/,from=busybox,target=/a/,rw",
      [{ type: "bind", target: "/a", origin: { from: "image", image: "busybox" }, source: "t", readOnly: false }],
    ],
    [
      "bind: a source that would lead out",
      "--mount=source=../../etc,target=/a",
      [{ type: "bind", target: "/a", origin: { from: "context" }, source: "etc", written: "../../etc", readOnly: true }],
    ],
    [
      "bind: a relative target",
      "--mount=target=b/../c",
      [{ type: "bind", target: "/w/c", origin: { from: "context" }, source: "", readOnly: true }],
      "WORKDIR /w\n",
    ],
    [
      "bind: no target, which is the working directory",
      "--mount=source=s",
      [{ type: "bind", target: "/w", origin: { from: "context" }, source: "s", readOnly: true }],
      "WORKDIR /w/\n",
    ],
    [
      "bind: the empty image",
      "--mount=from=scratch,target=/a,rw",
      [{ type: "bind", target: "/a", origin: { from: "image", image: "scratch" }, source: "", readOnly: false }],
    ],
    [
      "cache: defaults",
      "--mount=type=cache,target=/root/.cache/",
      [
        {
          type: "cache",
          target: "/root/.cache",
          id: "/root/.cache",
          sharing: "shared",
          readOnly: false,
          source: "",
          mode: 0o755,
          ...owned,
        },
      ],
    ],
    [
      "cache: a relative target, whose id is as written",
      "--mount=type=cache,target=./c/",
      [{ type: "cache", target: "/w/c", id: "c", sharing: "shared", readOnly: false, source: "", mode: 0o755, ...owned }],
      "WORKDIR /w\n",
    ],
    [
      "cache: everything given",
      "--mount=type=cache,id=i,target=/a,ro,sharing=private,from=busybox,source=/s,mode=0700,uid=1,gid=2",
      [
        {
          type: "cache",
          target: "/a",
          id: "i",
          sharing: "private",
          readOnly: true,
          origin: { from: "image", image: "busybox" },
          source: "s",
          mode: 0o700,
          uid: 1,
          gid: 2,
        },
      ],
    ],
    [
      "cache: from the empty image, which is no beginning",
      "--mount=type=cache,target=/a,from=scratch",
      [{ type: "cache", target: "/a", id: "/a", sharing: "shared", readOnly: false, source: "", mode: 0o755, ...owned }],
    ],
    ["tmpfs", "--mount=type=tmpfs,target=/a", [{ type: "tmpfs", target: "/a" }]],
    ["tmpfs: a size", "--mount=type=tmpfs,target=/a,size=1m", [{ type: "tmpfs", target: "/a", sizeBytes: 1048576 }]],
    ["tmpfs: no limit", "--mount=type=tmpfs,target=/a,size=0", [{ type: "tmpfs", target: "/a" }]],
    ["tmpfs: a part of /dev", "--mount=type=tmpfs,target=/dev/shm", [{ type: "tmpfs", target: "/dev/shm" }]],
    [
      "secret: a file by its id",
      "--mount=type=secret,id=a/b.key",
      [{ type: "secret", id: "a/b.key", target: "/run/secrets/b.key", required: false, mode: 0o400, ...owned }],
    ],
    [
      "secret: an id by its target",
      "--mount=type=secret,target=/root/.npmrc,required,mode=0444,uid=3",
      [{ type: "secret", id: ".npmrc", target: "/root/.npmrc", required: true, mode: 0o444, uid: 3, gid: 0 }],
    ],
    [
      "secret: a variable alone",
      "--mount=type=secret,source=i,env=TOKEN",
      [{ type: "secret", id: "i", env: "TOKEN", required: false, mode: 0o400, ...owned }],
    ],
    [
      "secret: a variable and a file",
      "--mount=type=secret,id=i,env=TOKEN,target=t",
      [{ type: "secret", id: "i", target: "/t", env: "TOKEN", required: false, mode: 0o400, ...owned }],
    ],
    [
      "ssh: each by its number",
      "--mount=type=ssh --mount=type=tmpfs,target=/t --mount=type=ssh,target=/s --mount=type=ssh,id=k",
      [
        { type: "ssh", id: "default", target: "/run/buildkit/ssh_agent.0", required: false, mode: 0o600, ...owned },
        { type: "tmpfs", target: "/t" },
        { type: "ssh", id: "default", target: "/s", required: false, mode: 0o600, ...owned },
        { type: "ssh", id: "k", target: "/run/buildkit/ssh_agent.2", required: false, mode: 0o600, ...owned },
      ],
    ],
    [
      "variables in every option",
      "--mount=type=$T,target=$D/a,id=$D,sharing=$S,uid=$U",
      [{ type: "cache", target: "/d e/a", id: "/d e", sharing: "locked", readOnly: false, source: "", mode: 0o755, uid: 7, gid: 0 }],
      'ARG T=cache\nENV D="/d e" S=locked\nARG U=7\n',
    ],
    [
      "two on one target, in their order",
      "--mount=type=tmpfs,target=/a --mount=type=bind,target=/a",
      [
        { type: "tmpfs", target: "/a" },
        { type: "bind", target: "/a", origin: { from: "context" }, source: "", readOnly: true },
      ],
    ],
  ])("is %s", (_name, flags, mounts, before) => {
    expect(mountsOf(flags, before)).toEqual(mounts);
  });

  it("reads from stages by name, and never by number", () => {
    const text = "FROM i AS Base\nFROM i\nRUN --mount=from=base,target=/a --mount=from=0,target=/b x";
    expect(run(text).mounts.map((mount) => "origin" in mount && mount.origin)).toEqual([
      { from: "stage", stage: 0 },
      { from: "image", image: "0" },
    ]);
    expect(planned(text).stages.map(({ index }) => index)).toEqual([0, 1]);
  });

  it("reads from a stage that a global ARG names", () => {
    const text = "ARG WHO=Base\nFROM i AS base\nFROM i\nARG WHO=other\nRUN --mount=from=$WHO,target=/a x";
    expect(run(text).mounts).toMatchObject([{ origin: { from: "stage", stage: 0 } }]);
    expect(planError(text, { buildArgs: { WHO: "" } })).toEqual({
      code: "VARIABLE_IN_FROM",
      message: "reading RUN --mount=from=$WHO,target=/a: the name expands to nothing",
      line: 5,
    });
  });
});

describe("a mount is refused:", () => {
  it.each<[name: string, instructions: string, message: string, hint?: string]>([
    ["over the root", "RUN --mount=target=/ x", 'reading --mount="target=/": the target is the root directory'],
    [
      "over the root that the working directory is",
      "RUN --mount=source=a x",
      'reading --mount="source=a": the target is the root directory',
      "give it a target, or stand behind a WORKDIR",
    ],
    ["over the root by parents", "RUN --mount=target=/a/.. x", 'reading --mount="target=/a/..": the target is the root directory'],
    [
      "with a name that no file can have",
      `RUN --mount=target=/${"y".repeat(256)} x`,
      `reading --mount="target=/${"y".repeat(72)}…": the target is longer than a path can be: 255 bytes for a name, 4095 in all`,
    ],
    [
      "with a path that nothing can name",
      `RUN --mount=target=${"/y".repeat(2048)} x`,
      `reading --mount="target=${"/y".repeat(36)}/…": the target is longer than a path can be: 255 bytes for a name, 4095 in all`,
    ],
    ["over /proc", "RUN --mount=type=tmpfs,target=/proc x", 'reading --mount="type=tmpfs,target=/proc": /proc belongs to the sandbox'],
    [
      "into /proc",
      "RUN --mount=type=tmpfs,target=/proc/self x",
      'reading --mount="type=tmpfs,target=/proc/self": /proc/self belongs to the sandbox',
    ],
    ["into /sys, by parents", "RUN --mount=target=/x/../sys/a x", 'reading --mount="target=/x/../sys/a": /sys/a belongs to the sandbox'],
    ["over /dev", "RUN --mount=target=/dev x", 'reading --mount="target=/dev": /dev belongs to the sandbox'],
    [
      "of a type that expands to none",
      "ARG T=x\nRUN --mount=type=$T,target=/a x",
      'reading --mount="type=$T,target=/a": there is no type "x"',
      "it may be bind, cache, tmpfs, secret, ssh",
    ],
    [
      "with an option that its type, once expanded, has not",
      "ARG T=bind\nRUN --mount=type=$T,target=/a,size=1 x",
      'reading --mount="type=$T,target=/a,size=1": a mount of type bind has no size',
      "size is for type=tmpfs",
    ],
  ])("%s", (_name, instructions, message, hint) => {
    const line = instructions.split("\n").length + 1;
    expect(planError(`FROM i\n${instructions}`)).toEqual({ code: "INVALID_MOUNT", message, ...(hint === undefined ? {} : { hint }), line });
  });

  it("from a variable of the stage", () => {
    expect(planError("FROM i\nARG X=i\nRUN --mount=from=$X,target=/a x")).toEqual({
      code: "VARIABLE_IN_FROM",
      message: "reading RUN --mount=from=$X,target=/a: only variables from before the first FROM are known here, and X is none",
      hint: "no ARG before the first FROM declares X: put ARG X=VALUE there",
      line: 3,
    });
  });

  it("from a global ARG without a value", () => {
    expect(planError("ARG X\nFROM i\nRUN --mount=from=$X,target=/a x")).toMatchObject({
      message: "reading RUN --mount=from=$X,target=/a: X has no value",
      hint: "X has no value: give its ARG a default, or pass --build-arg X=VALUE",
    });
  });

  it("from a later stage, and from its own", () => {
    expect(planError("FROM i\nRUN --mount=from=late,target=/a x\nFROM i AS late\nFROM i\nCOPY --from=0 a /", {})).toMatchObject({
      code: "INVALID_STAGE",
      message: 'reading RUN --mount=from=late,target=/a: stage "late" must be defined before this one',
      line: 2,
    });
    expect(planError("FROM i AS own\nRUN --mount=from=OWN,target=/a x")).toMatchObject({
      message: 'reading RUN --mount=from=OWN,target=/a: stage "own" must be defined before this one',
      hint: "a stage cannot read from itself",
    });
  });
});

describe("a RUN", () => {
  it("may ask for more than the sandbox gives", () => {
    expect(run("FROM i\nRUN --security=insecure x").security).toBe("insecure");
    expect(run("FROM i\nRUN --security=sandbox x").security).toBe("sandbox");
  });

  it("has no network in a hermetic build", () => {
    expect(run("FROM i\nRUN x", { hermetic: true, network: "host" }).network).toBe("none");
    expect(run("FROM i\nRUN --network=default x", { hermetic: true }).network).toBe("none");
    expect(planError("FROM i\nRUN --network=host x", { hermetic: true })).toEqual({
      code: "HERMETIC_NETWORK",
      message: "reading RUN --network=host: the build is hermetic, and its steps have no network",
      hint: "take --network=host away, or build without --hermetic",
      line: 2,
    });
  });

  it("has the host name that a build argument gives", () => {
    expect(run("FROM i\nRUN x", { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "builder-1.example" } }).hostname).toBe("builder-1.example");
    expect(run("FROM i\nRUN x", { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "" } })).not.toHaveProperty("hostname");
    expect(() => planned("FROM i\nRUN x", { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "a\n127.0.0.1 evil" } })).toThrow(
      'reading BUILDKIT_SANDBOX_HOSTNAME: "a\\n127.0.0.1 evil" is no host name',
    );
  });
});
