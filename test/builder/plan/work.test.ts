import { describe, expect, it } from "vitest";
import { DockerfileErrors } from "../../../builder/dockerfile/errors.ts";
import type { CopyOperation, RunOperation } from "../../../builder/plan/operation.ts";
import { defaultPath } from "../../../builder/plan/stage-state.ts";
import type { ContainerConfig } from "../../../store/oci.ts";
import { type Planning, planError, planned } from "./planned.ts";

/** The last step and the last line of history of instructions on an image "i". */
function last(instructions: string, options: Planning = {}) {
  const { steps, history } = planned(`FROM i\n${instructions}`, options).target;
  return { operation: steps.at(-1)?.operation, createdBy: history.at(-1)?.createdBy };
}

function run(instructions: string, options: Planning = {}): RunOperation & { createdBy: string | undefined } {
  const { operation, createdBy } = last(instructions, options);
  if (operation?.op !== "run") throw new Error("no RUN");
  return { ...operation, createdBy };
}

function copy(instructions: string, options: Planning = {}): CopyOperation & { createdBy: string | undefined } {
  const { operation, createdBy } = last(instructions, options);
  if (operation?.op !== "copy") throw new Error("no COPY");
  return { ...operation, createdBy };
}

describe("RUN", () => {
  it("is what the stage has come to", () => {
    const base: ContainerConfig = { Env: ["PATH=/bin"], User: "u", WorkingDir: "/w" };
    expect(last("ENV A=1\nARG B=2\nUSER v\nRUN x $A", { images: { i: base } }).operation).toEqual({
      op: "run",
      args: ["/bin/sh", "-c", "x $A"],
      env: { PATH: "/bin", A: "1", B: "2" },
      cwd: "/w",
      user: "v",
      network: "default",
      security: "sandbox",
      documents: [],
      mounts: [],
    });
    expect(run("RUN x")).toMatchObject({ env: { PATH: defaultPath }, cwd: "/", user: "" });
  });

  it.each<[name: string, instructions: string, args: string[], history: string]>([
    ["the shell form", "RUN a  b", ["/bin/sh", "-c", "a  b"], "RUN /bin/sh -c a  b # buildkit"],
    ["continued lines", "RUN a \\\n  b", ["/bin/sh", "-c", "a   b"], "RUN /bin/sh -c a   b # buildkit"],
    ["the exec form, unexpanded", 'ENV A=1\nRUN ["a", "$A b"]', ["a", "$A b"], "RUN a $A b # buildkit"],
    ["what is almost JSON, in the shell form", "RUN ['a']", ["/bin/sh", "-c", "['a']"], "RUN /bin/sh -c ['a'] # buildkit"],
    ["SHELL", 'SHELL ["bash", "-c"]\nRUN a', ["bash", "-c", "a"], "RUN bash -c a # buildkit"],
    ["declared ARGs in history", "ARG A=1\nARG B\nRUN a", ["/bin/sh", "-c", "a"], "RUN |2 A=1 B= /bin/sh -c a # buildkit"],
    ["an ARG declared twice, once", "ARG A=1\nARG B=2\nARG A=3\nRUN a", ["/bin/sh", "-c", "a"], "RUN |2 A=3 B=2 /bin/sh -c a # buildkit"],
    ["an ARG that ENV replaced", "ARG A=1\nENV A=2\nRUN a", ["/bin/sh", "-c", "a"], "RUN |1 A=2 /bin/sh -c a # buildkit"],
    ["a heredoc alone", "RUN <<EOF\na\nb\nEOF", ["/bin/sh", "-c", "a\nb\n"], "RUN /bin/sh -c a\nb\n # buildkit"],
    ["a heredoc whose tabs go", "RUN <<-EOF\n\ta\n\tb\n\tEOF", ["/bin/sh", "-c", "a\nb\n"], "RUN /bin/sh -c a\nb\n # buildkit"],
    ["a heredoc in quotes", "ENV A=1\nRUN <<'EOF'\n$A\nEOF", ["/bin/sh", "-c", "$A\n"], "RUN /bin/sh -c $A\n # buildkit"],
    [
      "a heredoc that a command reads",
      "RUN cat <<EOF > /x\na $A\nEOF",
      ["/bin/sh", "-c", "cat <<EOF > /x\na $A\nEOF"],
      "RUN /bin/sh -c cat <<EOF > /x\na $A\nEOF # buildkit",
    ],
    [
      "two heredocs",
      "RUN cat <<A - <<-B\na\nA\n\tb\n\tB",
      ["/bin/sh", "-c", "cat <<A - <<-B\na\nA\n\tb\nB"],
      "RUN /bin/sh -c cat <<A - <<-B\na\nA\n\tb\nB # buildkit",
    ],
  ])("takes %s", (_name, instructions, args, history) => {
    expect(run(instructions)).toMatchObject({ args, documents: [], createdBy: history });
  });

  it("starts a heredoc that is a program of its own", () => {
    expect(run("RUN <<EOF\n#!/bin/python3\nprint(1)\nEOF")).toMatchObject({
      args: ["/bin/sh", "-c", "/dev/pipes/EOF"],
      documents: [{ path: "/dev/pipes/EOF", content: "#!/bin/python3\nprint(1)\n" }],
      createdBy: "RUN /bin/sh -c /dev/pipes/EOF # buildkit",
    });
  });

  it.each<[name: string, instruction: string, network: string]>([
    ["the build's", "RUN a", "none"],
    ["its own", "RUN --network=host a", "host"],
  ])("has a network: %s", (_name, instruction, network) => {
    expect(run(instruction, { network: "none" }).network).toBe(network);
  });

  it("does not see proxy variables that nobody declares", () => {
    expect(run("RUN a", { buildArgs: { HTTP_PROXY: "http://p", no_proxy: "x" } })).toMatchObject({
      env: { PATH: defaultPath },
      createdBy: "RUN /bin/sh -c a # buildkit",
    });
  });
});

describe("COPY and ADD", () => {
  it("are everything expanded, word by word", () => {
    expect(last('ARG F="a b"\nARG T=/t\nARG O=1:2\nARG M=640\nCOPY --chown=$O --chmod=$M $F c* $T/')).toEqual({
      operation: {
        op: "copy",
        origin: { from: "context" },
        words: [
          { kind: "path", path: "a b" },
          { kind: "path", path: "c*" },
        ],
        documents: [],
        target: "/t/",
        unpack: { local: false, remote: false },
        link: false,
        parents: false,
        exclude: [],
        chown: "1:2",
        chmod: "640",
      },
      createdBy: "COPY --chown=1:2 --chmod=640 a b c* /t/ # buildkit",
    });
    expect(last("ADD a /t")).toEqual({
      operation: {
        op: "copy",
        origin: { from: "context" },
        words: [{ kind: "path", path: "a" }],
        documents: [],
        target: "/t",
        unpack: { local: true, remote: false },
        link: false,
        parents: false,
        exclude: [],
      },
      createdBy: "ADD a /t # buildkit",
    });
  });

  it.each<[name: string, source: string, expected: string]>([
    ["a name", "a/b", "a/b"],
    ["a leading slash", "/a", "a"],
    ["dots", "./a/./b", "a/b"],
    ["a trailing slash", "a/", "a"],
    ["parents inside", "a/../b", "b"],
    ["parents that would lead out", "../../a", "a"],
    ["parents from the root", "/../a/../../etc/passwd", "etc/passwd"],
    ["the root", ".", ""],
    ["the root by slash", "/", ""],
    ["the root by parents", "..", ""],
    ["doubled slashes", "a//b", "a/b"],
    ["a wildcard", "./a*/[bc]?/", "a*/[bc]?"],
    ["names that begin with dots", "..a/.b/...", "..a/.b/..."],
  ])("clean a source: %s", (_name, source, expected) => {
    expect(copy(`COPY ${source} /t`).words).toEqual([expect.objectContaining({ kind: "path", path: expected })]);
  });

  it.each<[source: string, written: string | undefined]>([
    ["../a", "../a"],
    ["/../a", "/../a"],
    ["a/../../b", "a/../../b"],
    ["..", ".."],
    ["./../a/", "./../a/"],
    ["a/../b", undefined],
    ["..a/b", undefined],
    ["/a", undefined],
  ])("keep as written a source that would lead out of the root: %s", (source, written) => {
    expect(copy(`COPY ${source} /t`).words.map((word) => (word.kind === "path" ? word.written : word))).toEqual([written]);
  });

  it.each<[name: string, workdir: string, target: string, expected: string]>([
    ["an absolute file", "/w", "/t/x", "/t/x"],
    ["an absolute directory", "/w", "/t/x/", "/t/x/"],
    ["a relative file", "/w", "x", "/w/x"],
    ["a relative directory", "/w", "x/", "/w/x/"],
    ["the working directory", "/w", ".", "/w/"],
    ["the working directory with a slash", "/w", "./", "/w/"],
    ["an empty one", "/w", '""', "/w/"],
    ["a variable that expands to nothing", "/w", "$NOTHING", "/w/"],
    ["the parent", "/w/v", "..", "/w/"],
    ["parents that would lead out", "/w", "../../../x", "/x"],
    ["the root", "/w", "/", "/"],
    ["the root by dots", "/w", "/.", "/"],
    ["a directory by dot", "/w", "x/.", "/w/x/"],
    ["relative to a base without a working directory", "", "x", "/x"],
    ["a name that ends in dots", "/w", "x..", "/w/x.."],
    ["doubled slashes", "/w", "//t//x", "/t/x"],
  ])("have a target: %s", (_name, workdir, target, expected) => {
    expect(copy(`COPY a ${target}`, { images: { i: workdir === "" ? {} : { WorkingDir: workdir } } }).target).toBe(expected);
  });

  it("take heredocs, expanded where their names are not quoted", () => {
    expect(last("ENV A=1\nCOPY <<one.txt <<'two' x /t/\n$A\none.txt\n$A\ntwo")).toEqual({
      operation: {
        op: "copy",
        origin: { from: "context" },
        words: [{ kind: "path", path: "x" }],
        documents: [
          { name: "one.txt", content: "1\n" },
          { name: "two", content: "$A\n" },
        ],
        target: "/t/",
        unpack: { local: false, remote: false },
        link: false,
        parents: false,
        exclude: [],
      },
      createdBy: "COPY x <<one.txt <<two /t/ # buildkit",
    });
  });

  it.each<[name: string, text: string, origin: CopyOperation["origin"]]>([
    ["a stage by name", "FROM a AS one\nFROM i\nCOPY --from=One x /", { from: "stage", stage: 0 }],
    ["a stage by number", "FROM a\nFROM i\nCOPY --from=0 x /", { from: "stage", stage: 0 }],
    ["an image", "FROM i\nCOPY --from=busybox:1 x /", { from: "image", image: "busybox:1" }],
  ])("read from %s", (_name, text, origin) => {
    const operation = planned(text).target.steps[0]?.operation;
    expect(operation).toMatchObject({ op: "copy", origin });
  });

  it("leave out flags that expand to nothing", () => {
    const { chown, chmod, createdBy } = copy("COPY --chown=$X --chmod=$Y a /t");
    expect([chown, chmod, createdBy]).toEqual([undefined, undefined, "COPY a /t # buildkit"]);
  });

  it("COPY --link makes a layer of its own, and only where it is asked for", () => {
    expect(copy("COPY --link a /t").link).toBe(true);
    expect(copy("COPY --link=false a /t").link).toBe(false);
    expect(planned("FROM i\nCOPY --link --chown=1 a /t").target.history.at(-1)?.createdBy).toBe("COPY --chown=1 a /t # buildkit");
  });

  it.each<[instruction: string, local: boolean, remote: boolean]>([
    ["ADD a.tar /t", true, false],
    ["ADD --unpack a.tar /t", true, true],
    ["ADD --unpack=true a.tar /t", true, true],
    ["ADD --unpack=false a.tar /t", false, false],
    ["COPY a.tar /t", false, false],
  ])("%s unpacks archives: of the context %s, of the web %s", (instruction, local, remote) => {
    expect(copy(instruction).unpack).toEqual({ local, remote });
  });

  it("ADD reads from the web and from git, and tells paths apart", () => {
    expect(copy("ADD http://x/a.tgz?v=1 b https://h/r.git#v1:sub git@h:o/r.git /t/").words).toEqual([
      { kind: "http", url: "http://x/a.tgz?v=1", name: "a.tgz" },
      { kind: "path", path: "b" },
      { kind: "git", remote: "https://h/r.git", ref: "v1", subdir: "sub", keepGitDir: false, submodules: true },
      { kind: "git", remote: "git@h:o/r.git", keepGitDir: false, submodules: true },
    ]);
    const sum = `sha256:${"a".repeat(64)}`;
    expect(copy(`ARG S=${sum}\nADD --checksum=$S http://x/a /t`).words).toEqual([
      { kind: "http", url: "http://x/a", name: "a", checksum: sum },
    ]);
    expect(copy("ADD --keep-git-dir --checksum=0123456 https://h/r.git /t").words).toEqual([
      { kind: "git", remote: "https://h/r.git", keepGitDir: true, submodules: true, checksum: "0123456" },
    ]);
  });

  it.each<[name: string, source: string, expected: string]>([
    ["no pivot", "/a/../b//c/", "b/c"],
    ["a pivot", "a/b/./c/d", "a/b/./c/d"],
    ["the first of two pivots", "a/./b/./c", "a/./b/c"],
    ["a pivot at the root, which changes nothing", "/./a", "a"],
    ["a beginning that is none", "./a/b", "a/b"],
    ["parents that would lead out on both sides", "../a/./../../b", "a/./b"],
    ["a pivot at the end", "a/./", "a/./"],
    ["wildcards", "*/./**/*.c", "*/./**/*.c"],
  ])("clean a source of --parents: %s", (_name, source, expected) => {
    const { words, parents, createdBy } = copy(`COPY --parents --chown=1 --exclude=x ${source} /t`);
    expect({ words, parents }).toEqual({ words: [expect.objectContaining({ kind: "path", path: expected })], parents: true });
    expect(createdBy).toBe(`COPY --parents --chown=1 ${source} /t # buildkit`);
  });

  it("leave out what the patterns say, with variables", () => {
    expect(copy("ARG E=o\nCOPY --exclude=*.$E --exclude='!a b' . /t").exclude).toEqual(["*.o", "!a b"]);
    expect(copy("ADD --exclude=*.md . /t").exclude).toEqual(["*.md"]);
  });
});

describe("WORKDIR", () => {
  const workdirs = (instructions: string, options: Planning = {}) => {
    const { steps, history, state } = planned(`FROM i\n${instructions}`, options).target;
    return {
      paths: steps.map(({ operation }) => (operation.op === "workdir" ? `${operation.path} ${operation.user}`.trim() : operation.op)),
      history: history.map(({ createdBy, layer }) => `${createdBy}${layer ? "" : " (empty)"}`),
      config: state.config.WorkingDir,
    };
  };

  it.each<[name: string, instructions: string, paths: string[], history: string[], config: string]>([
    ["an absolute path", "WORKDIR /a", ["/a"], ["WORKDIR /a"], "/a"],
    ["chains", "WORKDIR /a\nWORKDIR b\nWORKDIR ../c", ["/a", "/a/b", "/a/c"], ["WORKDIR /a", "WORKDIR /a/b", "WORKDIR /a/c"], "/a/c"],
    ["a relative path on the base's", "WORKDIR b", ["/base/b"], ["WORKDIR /base/b"], "/base/b"],
    ["variables", "ENV D=/x\nWORKDIR $D/y", ["/x/y"], ["ENV D=/x (empty)", "WORKDIR /x/y"], "/x/y"],
    ["a trailing slash, which stays in the config", "WORKDIR /a/", ["/a"], ["WORKDIR /a/"], "/a/"],
    ["an absolute path, which is cleaned for the directory only", "WORKDIR /a//x/../b", ["/a/b"], ["WORKDIR /a//x/../b"], "/a//x/../b"],
    ["a relative path behind one", "WORKDIR /a/\nWORKDIR b/", ["/a", "/a/b"], ["WORKDIR /a/", "WORKDIR /a/b"], "/a/b"],
    ["nothing, which is the directory before", "WORKDIR $X", ["/base"], ["WORKDIR /base"], "/base"],
    ["parents that would lead out", "WORKDIR ../../x", ["/x"], ["WORKDIR /x"], "/x"],
    ["the root, which makes nothing", "WORKDIR /", [], ["WORKDIR / (empty)"], "/"],
    ["the user of that moment", "USER u\nWORKDIR /a\nUSER v", ["/a u"], ["USER u (empty)", "WORKDIR /a", "USER v (empty)"], "/a"],
    ["the same directory again", "WORKDIR /a\nWORKDIR /a", ["/a", "/a"], ["WORKDIR /a", "WORKDIR /a"], "/a"],
  ])("is %s", (_name, instructions, paths, history, config) => {
    expect(workdirs(instructions, { images: { i: { WorkingDir: "/base" } } })).toEqual({ paths, history, config });
  });
});

describe("what is wrong has its place:", () => {
  it.each<[instruction: string, code: string, message: string]>([
    ["COPY https://example.org/x /t", "INVALID_SOURCE", "reading COPY https://example.org/x: COPY reads files only"],
    ["COPY --chmod=9 a /t", "INVALID_CHMOD", 'reading the mode "9": expected octal digits up to 7777, or a symbolic mode'],
    ["COPY --chown=a:b:c a /t", "INVALID_CHOWN", 'reading the owner "a:b:c": expected USER or USER:GROUP'],
    ["COPY --chown=4294967295 a /t", "INVALID_CHOWN", 'reading the owner "4294967295": ids end at 4294967294'],
  ])("%s", (instruction, code, message) => {
    expect(planError(`FROM i\n${instruction}`)).toMatchObject({ code, message, line: 2 });
  });
});

describe("several things that are wrong", () => {
  const errorsOf = (text: string) => {
    try {
      planned(text, { images: { triggers: { OnBuild: ["VOLUME $NOTHING"] } } });
    } catch (error) {
      if (error instanceof DockerfileErrors) return error.errors.map(({ code, range }) => `${range.start.line} ${code}`);
      throw error;
    }
    throw new Error("planning threw nothing");
  };

  it("are told at once, over all stages that the target needs", () => {
    const text = `FROM i AS a
RUN --mount=type=$NOTHING,target=/c x
VOLUME $NOTHING
FROM i AS unneeded
RUN --mount=type=$NOTHING,target=/c x
FROM triggers
COPY http://x/a /t
COPY --from=a --chmod=9 a /t
`;
    expect(errorsOf(text)).toEqual(["2 INVALID_MOUNT", "3 EMPTY_VALUE", "6 EMPTY_VALUE", "7 INVALID_SOURCE", "8 INVALID_CHMOD"]);
  });

  it("but one alone is thrown as it is", () => {
    expect(planError("FROM i\nENV A=1\nCOPY http://x/a /t\nRUN x")).toMatchObject({ code: "INVALID_SOURCE", line: 3 });
  });
});

describe("titles of steps", () => {
  const titles = (text: string) =>
    planned(text).stages.flatMap(({ fromInfo, infos }) => [fromInfo, ...infos].map(({ id, title }) => `${id} ${title}`));

  it("count the steps that touch files, without a stage's name where there is one stage", () => {
    expect(titles("FROM i\nENV A=1\nRUN a \\\n # no\n  b\nWORKDIR /\nCOPY <<X /t\nbody\nX")).toEqual([
      "1 [1/3] FROM i",
      "2 [2/3] RUN a   b",
      "3 [3/3] COPY <<X /t",
    ]);
  });

  it("name the stage where there are several", () => {
    expect(titles("FROM i AS Build\nRUN a\nFROM i\nCOPY --from=build x /")).toEqual([
      "1 [build 1/2] FROM i AS Build",
      "2 [build 2/2] RUN a",
      "3 [stage-1 1/2] FROM i",
      "4 [stage-1 2/2] COPY --from=build x /",
    ]);
  });

  it("are cut where they are too long", () => {
    const [, title = ""] = titles(`FROM i\nRUN ${"x".repeat(500)}`);
    expect(title).toMatch(/^2 \[2\/2\] RUN x{155}…$/);
  });
});

describe("a history that no image can hold", () => {
  const message = "planning the stage: its configuration and history have more than 8388608 characters";

  it.each([
    ["of RUNs that say all ARGs again", `ARG a=${"x".repeat(100_000)}\n${"RUN x\n".repeat(100)}`, 84],
    ["of WORKDIRs that go down and down", `WORKDIR ${"d".repeat(9000)}\n`.repeat(60), 44],
    ["of values, which the config has too", `LABEL a=${"x".repeat(100_000)}\n`.repeat(50), 43],
  ])("%s", (_name, text, line) => {
    expect(planError(`FROM scratch\n${text}`)).toMatchObject({ code: "TOO_LARGE", message, line });
  });
});
