import { describe, expect, it } from "vitest";
import {
  baseChain,
  childChain,
  copyKey,
  type KeyContext,
  type KeySource,
  keyDigest,
  operationDigest,
  runKey,
  wordTexts,
  workdirKey,
} from "../../../builder/plan/key.ts";
import type { CopyOperation, CopyWord, RunMount, RunOperation, WorkdirOperation } from "../../../builder/plan/operation.ts";
import { type Digest, digestOf } from "../../../store/digest.ts";

const context: KeyContext = { parent: digestOf("parent"), platform: { os: "linux", architecture: "amd64" }, writer: 1 };
const sandbox = { owners: "exact", hosts: ["db"], hostname: "h" } as const;
const run: RunOperation = {
  op: "run",
  args: ["sh", "-c", "x"],
  env: { A: "1", B: "2" },
  cwd: "/w",
  user: "u",
  network: "default",
  security: "sandbox",
  documents: [],
  mounts: [],
};
const copy: CopyOperation = {
  op: "copy",
  origin: { from: "context" },
  words: [{ kind: "path", path: "a" }],
  documents: [],
  target: "/t",
  unpack: { local: false, remote: false },
  link: false,
  parents: false,
  exclude: [],
};
const workdir: WorkdirOperation = { op: "workdir", path: "/w", user: "u" };
const roots: readonly KeySource[] = [{ root: digestOf("root") }];

describe("the key of a RUN", () => {
  const key = keyDigest(runKey(run, context, sandbox, []));
  const changed = (change: Partial<RunOperation>, inContext: Partial<KeyContext> = {}, inSandbox: object = {}) =>
    keyDigest(runKey({ ...run, ...change }, { ...context, ...inContext }, { ...sandbox, ...inSandbox }, []));

  it.each<[what: string, changed: string]>([
    ["a word", changed({ args: ["sh", "-c", "x "] })],
    ["words split otherwise", changed({ args: ["sh", "-c x"] })],
    ["a variable's value", changed({ env: { A: "1", B: "3" } })],
    ["a variable more", changed({ env: { A: "1", B: "2", C: "" } })],
    ["a variable's name", changed({ env: { A: "1", C: "2" } })],
    ["a value that runs into the next name", changed({ env: { A: "1,B:2" } })],
    ["the working directory", changed({ cwd: "/" })],
    ["the user", changed({ user: "" })],
    ["the network mode asked for", changed({ network: "none" })],
    ["a heredoc's text", changed({ documents: [{ path: "/dev/pipes/E", content: "#!" }] })],
    ["the parent's content", changed({}, { parent: digestOf("other") })],
    ["the platform", changed({}, { platform: { os: "linux", architecture: "arm64" } })],
    ["the platform's variant", changed({}, { platform: { os: "linux", architecture: "amd64", variant: "v2" } })],
    ["the tar writer's version", changed({}, { writer: 2 })],
    ["an epoch", changed({}, { epoch: 0 })],
    ["another epoch", changed({}, { epoch: 1 })],
    ["how owners are kept", changed({}, {}, { owners: "flat" })],
    ["an added host's name", changed({}, {}, { hosts: ["db", "web"] })],
    ["the host name", changed({}, {}, { hostname: "other" })],
  ])("changes with %s", (_what, other) => {
    expect(other).not.toBe(key);
  });

  it.each<[what: string, changed: string]>([
    ["its own host name", changed({ hostname: "other" })],
    ["what the sandbox allows", changed({ security: "insecure" })],
  ])("changes with %s", (_what, other) => {
    expect(other).not.toBe(key);
  });

  it("is the same for a host name of its own that is the sandbox's", () => {
    expect(changed({ hostname: "h" })).toBe(key);
  });

  it("changes in its own way with each of them", () => {
    const all = [changed({ cwd: "/x" }), changed({ user: "/x" }), changed({}, { epoch: 0 }), changed({}, { epoch: 1 }), key];
    expect(new Set(all).size).toBe(all.length);
  });

  it("does not depend on the order in which variables were set", () => {
    expect(changed({ env: { B: "2", A: "1" } })).toBe(key);
  });

  it("is canonical: equal inputs give these very bytes", () => {
    expect(runKey(run, { ...context, epoch: 5 }, sandbox, [])).toEqual({
      args: ["sh", "-c", "x"],
      capabilities: "default",
      cwd: "/w",
      documents: [],
      env: { A: "1", B: "2" },
      epoch: 5,
      hostname: "h",
      hosts: ["db"],
      mounts: [],
      network: "default",
      op: "run",
      owners: "exact",
      parent: digestOf("parent"),
      platform: "linux/amd64",
      security: "sandbox",
      user: "u",
      version: 3,
      writer: 1,
    });
  });
});

describe("the key of a RUN with mounts", () => {
  const digest = digestOf("content");
  const keyOf = (mounts: readonly RunMount[], binds: readonly Digest[] = []) =>
    keyDigest(runKey({ ...run, mounts }, context, sandbox, binds));
  const bind: RunMount = { type: "bind", target: "/a", origin: { from: "context" }, source: "s", readOnly: true };
  const owned = { mode: 0o755, uid: 0, gid: 0 };
  const cache: RunMount = { type: "cache", target: "/c", id: "i", sharing: "shared", readOnly: false, source: "", ...owned };
  const tmpfs: RunMount = { type: "tmpfs", target: "/t" };
  const secret: RunMount = { type: "secret", id: "s", target: "/s", required: false, ...owned };
  const ssh: RunMount = { type: "ssh", id: "default", target: "/ssh", required: false, ...owned };

  it.each<[what: string, one: string, other: string]>([
    ["a mount", keyOf([]), keyOf([tmpfs])],
    ["the order of mounts", keyOf([tmpfs, cache]), keyOf([cache, tmpfs])],
    ["what a bind shows", keyOf([bind], [digest]), keyOf([bind], [digestOf("other")])],
    [
      "which of two binds shows what",
      keyOf([bind, { ...bind, target: "/b" }], [digest, digestOf("")]),
      keyOf([bind, { ...bind, target: "/b" }], [digestOf(""), digest]),
    ],
    ["where a bind is", keyOf([bind], [digest]), keyOf([{ ...bind, target: "/b" }], [digest])],
    ["whether a bind may be written", keyOf([bind], [digest]), keyOf([{ ...bind, readOnly: false }], [digest])],
    ["where a cache is", keyOf([cache]), keyOf([{ ...cache, target: "/d" }])],
    ["whether a cache may be written", keyOf([cache]), keyOf([{ ...cache, readOnly: true }])],
    ["whose a cache is", keyOf([cache]), keyOf([{ ...cache, uid: 1 }])],
    ["the mode of a cache", keyOf([cache]), keyOf([{ ...cache, mode: 0o700 }])],
    ["the size of a tmpfs", keyOf([tmpfs]), keyOf([{ ...tmpfs, sizeBytes: 1 }])],
    ["which secret it is", keyOf([secret]), keyOf([{ ...secret, id: "t" }])],
    ["the variable of a secret", keyOf([secret]), keyOf([{ ...secret, env: "S" }])],
    [
      "that a secret is no file",
      keyOf([{ ...secret, env: "S" }]),
      keyOf([{ type: "secret", id: "s", env: "S", required: false, ...owned }]),
    ],
    ["the mode of a secret", keyOf([secret]), keyOf([{ ...secret, mode: 0o400 }])],
    ["which agent it is", keyOf([ssh]), keyOf([{ ...ssh, id: "k" }])],
    ["where the agent's socket is", keyOf([ssh]), keyOf([{ ...ssh, target: "/x" }])],
  ])("changes with %s", (_what, one, other) => {
    expect(one).not.toBe(other);
  });

  it.each<[what: string, one: string, other: string]>([
    [
      "where equal content comes from",
      keyOf([bind], [digest]),
      keyOf([{ ...bind, origin: { from: "stage", stage: 1 }, source: "x" }], [digest]),
    ],
    ["which cache it is, and who shares it", keyOf([cache]), keyOf([{ ...cache, id: "j", sharing: "locked" }])],
    ["what a cache begins with", keyOf([cache]), keyOf([{ ...cache, origin: { from: "image", image: "x" }, source: "y" }])],
    ["whether a secret must be there", keyOf([secret]), keyOf([{ ...secret, required: true }])],
  ])("is the same whatever %s", (_what, one, other) => {
    expect(one).toBe(other);
  });

  it("needs the content of every bind", () => {
    expect(() => keyOf([bind])).toThrow("the content of the mount on /a is not known");
  });
});

describe("the key of a COPY", () => {
  const key = keyDigest(copyKey(copy, context, roots));
  const changed = (change: Partial<CopyOperation>, inContext: Partial<KeyContext> = {}, sources: readonly KeySource[] = roots) =>
    keyDigest(copyKey({ ...copy, ...change }, { ...context, ...inContext }, sources));

  it.each<[what: string, changed: string]>([
    ["a source's content", changed({}, {}, [{ root: digestOf("other") }])],
    ["a source more", changed({}, {}, [...roots, ...roots])],
    ["the target", changed({ target: "/t/" })],
    ["an owner", changed({ chown: "0" })],
    ["a mode", changed({ chmod: "644" })],
    ["unpacking", changed({ unpack: { local: true, remote: false } })],
    ["unpacking what is fetched", changed({ unpack: { local: false, remote: true } })],
    ["keeping parents", changed({ parents: true })],
    ["a pattern of what is left out", changed({ exclude: ["*.o"] })],
    ["a source of the web in place of an equal one of the context", changed({}, {}, [{ root: digestOf("root"), remote: true }])],
    ["a heredoc's text", changed({ documents: [{ name: "E", content: "" }] })],
    ["a heredoc's name", changed({ documents: [{ name: "F", content: "" }] })],
    ["the parent's content", changed({}, { parent: digestOf("other") })],
    ["the epoch", changed({}, { epoch: 0 })],
    ["the tar writer's version", changed({}, { writer: 2 })],
  ])("changes with %s", (_what, other) => {
    expect(other).not.toBe(key);
  });

  it("says which of its sources is the web's", () => {
    const [a, b] = [digestOf("a"), digestOf("b")];
    const orders: (readonly KeySource[])[] = [
      [{ root: a }, { root: b }],
      [{ root: a, remote: true }, { root: b }],
      [{ root: a }, { root: b, remote: true }],
      [
        { root: a, remote: true },
        { root: b, remote: true },
      ],
    ];
    expect(new Set(orders.map((sources) => changed({}, {}, sources))).size).toBe(orders.length);
  });

  it("changes in its own way with a heredoc's name and text", () => {
    const one = changed({ documents: [{ name: "E", content: "F" }] });
    expect(changed({ documents: [{ name: "F", content: "E" }] })).not.toBe(one);
  });

  it("is the same for all platforms, and however its sources were written: only what they are counts", () => {
    expect(changed({}, { platform: { os: "linux", architecture: "arm64" } })).toBe(key);
    expect(changed({ words: [{ kind: "path", path: "a*" }] })).toBe(key);
  });

  it("is the same wherever equal content comes from", () => {
    expect(changed({ origin: { from: "stage", stage: 3 } })).toBe(key);
    expect(changed({ origin: { from: "image", image: "busybox" } })).toBe(key);
  });
});

describe("the key of a WORKDIR", () => {
  const key = keyDigest(workdirKey(workdir, context));

  it("changes with path, user and parent, and is no other operation's", () => {
    const others = [
      workdirKey({ ...workdir, path: "/x" }, context),
      workdirKey({ ...workdir, user: "" }, context),
      workdirKey(workdir, { ...context, parent: digestOf("other") }),
      copyKey(copy, context, roots),
      runKey(run, context, sandbox, []),
    ].map(keyDigest);
    expect(new Set([key, ...others]).size).toBe(others.length + 1);
  });

  it("is the same for all platforms", () => {
    expect(keyDigest(workdirKey(workdir, { ...context, platform: { os: "linux", architecture: "arm64" } }))).toBe(key);
  });
});

describe("the digest of an operation", () => {
  it("leaves out parent and sources", () => {
    const one = operationDigest(copyKey(copy, context, roots));
    expect(operationDigest(copyKey(copy, { ...context, parent: digestOf("other") }, []))).toBe(one);
    expect(operationDigest(copyKey({ ...copy, target: "/x" }, context, roots))).not.toBe(one);
  });
});

describe("the texts of source words", () => {
  it("tell words apart", () => {
    const git: CopyWord = { kind: "git", remote: "https://h/r.git", keepGitDir: false, submodules: true };
    const words: CopyWord[] = [
      { kind: "path", path: "a" },
      { kind: "http", url: "http://x/a", name: "a" },
      git,
      { ...git, ref: "v1" },
      { ...git, subdir: "v1" },
      { ...git, keepGitDir: true },
    ];
    expect(new Set(wordTexts(words)).size).toBe(words.length);
  });
});

describe("chains", () => {
  it("of a base follow from its diffIds and their order", () => {
    const [a, b] = [digestOf("a"), digestOf("b")];
    const all = [baseChain([]), baseChain([a]), baseChain([b]), baseChain([a, b]), baseChain([b, a])];
    expect(new Set(all).size).toBe(all.length);
    expect(baseChain([a, b])).toBe(childChain(baseChain([a]), b));
  });
});
