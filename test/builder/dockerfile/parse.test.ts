import { describe, expect, it } from "vitest";
import { shellScript } from "../../../builder/dockerfile/heredoc.ts";
import type { Dockerfile, Instruction, StageInstruction } from "../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

/** The one instruction behind `FROM a`, without range, source and text. */
function one(text: string): unknown {
  const instructions = stageOf(`FROM a\n${text}`);
  expect(instructions).toHaveLength(1);
  return bare(instructions[0] as StageInstruction);
}

function bare({ range: _range, source: _source, text: _text, ...rest }: Instruction): unknown {
  return rest;
}

function stageOf(text: string): readonly StageInstruction[] {
  return parse(text).stages[0]?.instructions ?? [];
}

function parse(text: string): Dockerfile {
  return parseDockerfile(text, "Dockerfile");
}

const shell = (script: string) => ({ form: "shell", script, heredocs: [] });
const run = (script: string) => ({ keyword: "RUN", mounts: [], command: shell(script) });
const doc = (name: string, content: string, expand = true, raw = content) => ({ name, expand, content, raw });

describe("FROM", () => {
  it.each([
    ["FROM debian", { image: "debian" }],
    ["from debian", { image: "debian" }],
    ["FrOm debian:12 aS Base", { image: "debian:12", stage: "Base" }],
    ["FROM --platform=$BUILDPLATFORM debian@sha256:ab AS b", { image: "debian@sha256:ab", stage: "b", platform: "$BUILDPLATFORM" }],
    ["FROM ${BASE:-debian}", { image: "${BASE:-debian}" }],
    ["FROM\tdebian\tAS\tx", { image: "debian", stage: "x" }],
    ["FROM a AS x-1_2.3", { image: "a", stage: "x-1_2.3" }],
    ['FROM --platform="linux/amd64" a', { image: "a", platform: "linux/amd64" }],
    ["FROM --platform= a", { image: "a" }],
    ["FROM a \\\n  AS b", { image: "a", stage: "b" }],
  ])("%s", (text, expected) => {
    expect(bare(parse(text).stages[0]?.from as Instruction)).toEqual({ keyword: "FROM", ...expected });
  });

  it("begins a stage each time", () => {
    const { stages, globals } = parse("ARG A=1\nARG B\nFROM a AS one\nRUN 1\nFROM b\nFROM one AS two\nRUN 2\nRUN 3");
    expect(globals.map(bare)).toEqual([
      { keyword: "ARG", args: [{ name: "A", value: "1" }] },
      { keyword: "ARG", args: [{ name: "B" }] },
    ]);
    expect(stages.map(({ from, instructions }) => [from.image, from.stage, instructions.length])).toEqual([
      ["a", "one", 1],
      ["b", undefined, 0],
      ["one", "two", 2],
    ]);
  });
});

/** A mount of options "key=value", as parsed. */
function mount(...options: string[]) {
  return {
    text: options.join(","),
    options: options.map((option) => {
      const [key = "", value] = option.split(/=(.*)/);
      return value === undefined ? { key } : { key, value };
    }),
  };
}

describe("RUN", () => {
  it.each([
    ["RUN ls -l", run("ls -l")],
    ["run ls", run("ls")],
    ["  RUN ls", run("ls")],
    ["RUN   ls  ", run("ls")],
    ["RUN a \\\n  b", run("a   b")],
    ["RUN a\\\nb", run("ab")],
    ["RUN a \\  \n b", run("a  b")],
    ["RUN a \\\n# comment\n  # another\n b", run("a  b")],
    ["RUN a \\\n\n\n b", run("a  b")],
    ["RUN a # b", run("a # b")],
    ["RUN a \\\n b # c", run("a  b # c")],
    ["RUN a \\", run("a")],
    ["RUN \\\n  ls", run("ls")],
    ["\\\nRUN ls", run("ls")],
    ["RUN echo a\\\\", run("echo a\\\\")],
    ["RUN echo 'a\\nb'", run("echo 'a\\nb'")],
    ["RUN a\r\n", run("a")],
    ["RUN a \\\r\n b\r\n", run("a  b")],
    ["RUN -x", run("-x")],
    ["RUN -- --x", run("--x")],
    ["RUN [ -f x ] && y", run("[ -f x ] && y")],
    ["RUN ['a', 'b']", run("['a', 'b']")],
    ['RUN ["a", "b",]', run('["a", "b",]')],
    ['RUN ["a"] && b', run('["a"] && b')],
    ['RUN ["a", "b c"]', { keyword: "RUN", mounts: [], command: { form: "exec", args: ["a", "b c"] } }],
    ['RUN  [ "a" ,\\\n "\\u00e9\\n" ]', { keyword: "RUN", mounts: [], command: { form: "exec", args: ["a", "é\n"] } }],
    ["RUN --network=none ls", { ...run("ls"), network: "none" }],
    ["RUN --security=insecure ls", { ...run("ls"), security: "insecure" }],
    [
      "RUN --mount=type=cache,target=/a --mount=target=/b ls",
      { ...run("ls"), mounts: [mount("type=cache", "target=/a"), mount("target=/b")] },
    ],
    ['RUN --mount="type=bind,source=a b" ls', { ...run("ls"), mounts: [mount("type=bind", "source=a b")] }],
    [
      "RUN --mount='type=bind,\"source=a,b\"' ls",
      { ...run("ls"), mounts: [{ ...mount("type=bind", "source=a,b"), text: 'type=bind,"source=a,b"' }] },
    ],
    ["RUN --mount=type=bind,source=a\\ b ls", { ...run("ls"), mounts: [mount("type=bind", "source=a b")] }],
    ["RUN --mount=type=cache,target=$HOME ls --x", { ...run("ls --x"), mounts: [mount("type=cache", "target=$HOME")] }],
    [
      "RUN --mount=type=cache,target=/a \\\n  --network=host \\\n ls",
      { ...run("ls"), mounts: [mount("type=cache", "target=/a")], network: "host" },
    ],
  ])("%j", (text, expected) => {
    expect(one(text)).toEqual(expected);
  });
});

describe("heredocs", () => {
  const heredocRun = (script: string, ...heredocs: object[]) => ({
    keyword: "RUN",
    mounts: [],
    command: { form: "shell", script, heredocs },
  });
  it.each([
    ["a body", "RUN <<EOF\nls\nEOF", heredocRun("<<EOF", doc("EOF", "ls\n"))],
    ["an empty body", "RUN <<EOF\nEOF", heredocRun("<<EOF", doc("EOF", ""))],
    [
      "comments, blank lines and escapes in a body are its text",
      "RUN <<EOF\n# a\n\nb \\\n c\nEOF",
      heredocRun("<<EOF", doc("EOF", "# a\n\nb \\\n c\n")),
    ],
    ["quoted", "RUN <<'EOF'\nx\nEOF", heredocRun("<<'EOF'", doc("EOF", "x\n", false))],
    ["double-quoted", 'RUN <<"EOF"\nx\nEOF', heredocRun('<<"EOF"', doc("EOF", "x\n", false))],
    ["quoted in part", 'RUN <<E"O"F\nx\nEOF', heredocRun('<<E"O"F', doc("EOF", "x\n", false))],
    ["escaped", "RUN <<\\EOF\nx\nEOF", heredocRun("<<\\EOF", doc("EOF", "x\n", false))],
    ["tabs", "RUN <<-EOF\n\t\tx\n\t y\n\tEOF", heredocRun("<<-EOF", doc("EOF", "x\n y\n", true, "\t\tx\n\t y\n"))],
    ["tabs kept", "RUN <<EOF\n\tx\nEOF", heredocRun("<<EOF", doc("EOF", "\tx\n"))],
    ["a file descriptor", "RUN 3<<EOF cat\nx\nEOF", heredocRun("3<<EOF cat", doc("EOF", "x\n"))],
    ["two", "RUN a <<A b <<B\n1\nA\n2\nB", heredocRun("a <<A b <<B", doc("A", "1\n"), doc("B", "2\n"))],
    ["the shell ends the word", "RUN cat <<A; (cat <<B)\n1\nA\n2\nB", heredocRun("cat <<A; (cat <<B)", doc("A", "1\n"), doc("B", "2\n"))],
    ["a redirection ends the word", "RUN cat <<EOF>/f\nx\nEOF", heredocRun("cat <<EOF>/f", doc("EOF", "x\n"))],
    ["behind a continuation", "RUN a \\\n <<EOF\nx\nEOF", heredocRun("a  <<EOF", doc("EOF", "x\n"))],
    ["the end is the whole line", "RUN <<EOF\n EOF\nEOF \nEOFX\nEOF", heredocRun("<<EOF", doc("EOF", " EOF\nEOF \nEOFX\n"))],
    ["CRLF stays in the body", "RUN <<EOF\r\nx\r\nEOF\r\n", heredocRun("<<EOF", doc("EOF", "x\r\n"))],
    ["a here-string is none", "RUN cat <<<EOF", run("cat <<<EOF")],
    ["a shift is none", "RUN echo $((1<<3)) $((1 << 3))", run("echo $((1<<3)) $((1 << 3))")],
    ["inside quotes it is none", "RUN echo '<<EOF' \"<<EOF\"", run("echo '<<EOF' \"<<EOF\"")],
    ["inside a word it is none", "RUN cat a<<EOF", run("cat a<<EOF")],
    ["inside ${} it is none", "RUN echo ${x:- <<EOF}", run("echo ${x:- <<EOF}")],
    ["in JSON form it is none", 'RUN ["cat", "<<EOF"]', { keyword: "RUN", mounts: [], command: { form: "exec", args: ["cat", "<<EOF"] } }],
    ["CMD has none", "CMD cat <<EOF", { keyword: "CMD", command: shell("cat <<EOF") }],
    [
      "COPY of files and heredocs",
      "COPY a <<x <<'y' /d/\n$v\nx\n$w\ny",
      {
        keyword: "COPY",
        flags: {},
        target: "/d/",
        sources: [
          { kind: "path", path: "a" },
          { kind: "heredoc", heredoc: doc("x", "$v\n") },
          { kind: "heredoc", heredoc: doc("y", "$w\n", false) },
        ],
      },
    ],
    ["ONBUILD", "ONBUILD RUN <<-EOF\n\tx\n\tEOF", { keyword: "ONBUILD", trigger: "RUN <<-EOF\n\tx\nEOF" }],
  ])("%s", (_, text, expected) => {
    expect(one(text)).toEqual(expected);
  });

  it("what follows the end is the next instruction", () => {
    expect(stageOf("FROM a\nRUN <<EOF\nFROM b\nEOF\nUSER x").map(({ keyword }) => keyword)).toEqual(["RUN", "USER"]);
  });

  it.each([
    ["RUN ls", { kind: "script", script: "ls" }],
    ["RUN <<EOF\na\nb\nEOF", { kind: "script", script: "a\nb\n" }],
    ["RUN <<-EOF\n\ta\n\tEOF", { kind: "script", script: "a\n" }],
    ["RUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF", { kind: "program", name: "EOF", content: "#!/usr/bin/env python3\nprint(1)\n" }],
    ["RUN python3 <<EOF\nprint(1)\nEOF", { kind: "script", script: "python3 <<EOF\nprint(1)\nEOF" }],
    ["RUN cat <<-EOF > /x\n\ta\n\tEOF", { kind: "script", script: "cat <<-EOF > /x\n\ta\nEOF" }],
    ["RUN <<A cat <<B\n1\nA\n2\nB", { kind: "script", script: "<<A cat <<B\n1\nA\n2\nB" }],
  ])("%j runs", (text, expected) => {
    const [instruction] = stageOf(`FROM a\n${text}`);
    if (instruction?.keyword !== "RUN" || instruction.command.form !== "shell") throw new Error("not a RUN in shell form");
    expect(shellScript(instruction.command)).toEqual(expected);
  });
});

describe("COPY and ADD", () => {
  const copy = (sources: string[], target: string, flags = {}, keyword = "COPY") => ({
    keyword,
    flags,
    sources: sources.map((path) => ({ kind: "path", path })),
    target,
  });
  it.each([
    ["COPY a b", copy(["a"], "b")],
    ["COPY a b c/", copy(["a", "b"], "c/")],
    ["COPY  a\tb \\\n c", copy(["a", "b"], "c")],
    ['COPY ["a b", "c d"]', copy(["a b"], "c d")],
    ['COPY "a b" c', copy(['"a', 'b"'], "c")],
    ["COPY $A ${B:-x} /", copy(["$A", "${B:-x}"], "/")],
    ["COPY --from=x a b", copy(["a"], "b", { from: "x" })],
    ["COPY --chown=1:2 --chmod=755 a b", copy(["a"], "b", { chown: "1:2", chmod: "755" })],
    ["COPY --chown=$U:$G a b", copy(["a"], "b", { chown: "$U:$G" })],
    ["COPY --link a b", copy(["a"], "b", { link: true })],
    ["COPY --link=FALSE a b", copy(["a"], "b", { link: false })],
    ["COPY --link=true --parents a/./b c", copy(["a/./b"], "c", { link: true, parents: true })],
    ["COPY --exclude=*.md --exclude=b a c", copy(["a"], "c", { exclude: ["*.md", "b"] })],
    ["COPY -- --a b", copy(["--a"], "b")],
    ['COPY --chmod=755 ["a", "b"]', copy(["a"], "b", { chmod: "755" })],
    ["ADD --checksum=sha256:ab http://x/y /z", copy(["http://x/y"], "/z", { checksum: "sha256:ab" }, "ADD")],
    ["ADD --keep-git-dir --unpack=false a b", copy(["a"], "b", { keepGitDir: true, unpack: false }, "ADD")],
  ])("%j", (text, expected) => {
    expect(one(text)).toEqual(expected);
  });
});

describe("ENV, LABEL and ARG", () => {
  const env = (...pairs: [string, string][]) => ({ keyword: "ENV", pairs: pairs.map(([key, value]) => ({ key, value })) });
  it.each([
    ["ENV a=b", env(["a", "b"])],
    ["ENV a=b c=d", env(["a", "b"], ["c", "d"])],
    ["ENV a=", env(["a", ""])],
    ["ENV a=b=c", env(["a", "b=c"])],
    ['ENV a="b c" d=e', env(["a", '"b c"'], ["d", "e"])],
    ["ENV a='b c' d=e", env(["a", "'b c'"], ["d", "e"])],
    ["ENV a=b\\ c d=e", env(["a", "b\\ c"], ["d", "e"])],
    ['ENV a="b\\" c" d=e', env(["a", '"b\\" c"'], ["d", "e"])],
    ["ENV a='b\\' d=e", env(["a", "'b\\'"], ["d", "e"])],
    ['ENV "a b"=c', env(['"a b"', "c"])],
    ["ENV $a=$b", env(["$a", "$b"])],
    ["ENV a=b \\\n  c=d", env(["a", "b"], ["c", "d"])],
    ["ENV a b", env(["a", "b"])],
    ["ENV a b c=d  e", env(["a", "b c=d  e"])],
    ["ENV a   b", env(["a", "b"])],
    ['ENV a "b c"', env(["a", '"b c"'])],
    ["LABEL a.b-c=d", { keyword: "LABEL", pairs: [{ key: "a.b-c", value: "d" }] }],
    ["LABEL a b", { keyword: "LABEL", pairs: [{ key: "a", value: "b" }] }],
    ["ARG a", { keyword: "ARG", args: [{ name: "a" }] }],
    ["ARG a=", { keyword: "ARG", args: [{ name: "a", value: "" }] }],
    ['ARG a=b c d="e f"', { keyword: "ARG", args: [{ name: "a", value: "b" }, { name: "c" }, { name: "d", value: '"e f"' }] }],
  ])("%j", (text, expected) => {
    expect(one(text)).toEqual(expected);
  });
});

describe("the other instructions", () => {
  it.each([
    ["WORKDIR /a b", { keyword: "WORKDIR", value: "/a b" }],
    ["USER $u:$g", { keyword: "USER", value: "$u:$g" }],
    ["STOPSIGNAL SIGTERM", { keyword: "STOPSIGNAL", value: "SIGTERM" }],
    ["MAINTAINER A <a@b>", { keyword: "MAINTAINER", value: "A <a@b>" }],
    ["EXPOSE 80 81/udp $p", { keyword: "EXPOSE", values: ["80", "81/udp", "$p"] }],
    ["VOLUME /a /b", { keyword: "VOLUME", values: ["/a", "/b"] }],
    ['VOLUME ["/a b"]', { keyword: "VOLUME", values: ["/a b"] }],
    ['SHELL ["/bin/bash", "-c"]', { keyword: "SHELL", args: ["/bin/bash", "-c"] }],
    ["CMD a b", { keyword: "CMD", command: shell("a b") }],
    ['CMD ["a"]', { keyword: "CMD", command: { form: "exec", args: ["a"] } }],
    ["CMD []", { keyword: "CMD", command: { form: "exec", args: [] } }],
    ["CMD", { keyword: "CMD", command: { form: "exec", args: [] } }],
    ["ENTRYPOINT []", { keyword: "ENTRYPOINT", command: { form: "exec", args: [] } }],
    ["ENTRYPOINT exec $a", { keyword: "ENTRYPOINT", command: shell("exec $a") }],
    ["HEALTHCHECK NONE", { keyword: "HEALTHCHECK" }],
    ["healthcheck none", { keyword: "HEALTHCHECK" }],
    ["HEALTHCHECK CMD a b", { keyword: "HEALTHCHECK", command: shell("a b") }],
    ['HEALTHCHECK cmd ["a"]', { keyword: "HEALTHCHECK", command: { form: "exec", args: ["a"] } }],
    [
      "HEALTHCHECK --interval=1m30s --timeout=3s --start-period=1h --start-interval=1.5s --retries=2 CMD x",
      { keyword: "HEALTHCHECK", command: shell("x"), interval: 90e9, timeout: 3e9, startPeriod: 3600e9, startInterval: 1.5e9, retries: 2 },
    ],
    ["HEALTHCHECK --interval=0s --retries=0 CMD x", { keyword: "HEALTHCHECK", command: shell("x") }],
    ["HEALTHCHECK --interval=1ms CMD x", { keyword: "HEALTHCHECK", command: shell("x"), interval: 1e6 }],
    ["ONBUILD RUN a  b", { keyword: "ONBUILD", trigger: "RUN a  b" }],
    ["ONBUILD  copy --from=x a \\\n b", { keyword: "ONBUILD", trigger: "copy --from=x a  b" }],
  ])("%j", (text, expected) => {
    expect(one(text)).toEqual(expected);
  });
});

describe("directives", () => {
  it.each<[string, string, Record<string, string>]>([
    ["syntax", "# syntax=docker/dockerfile:1\nFROM a", { syntax: "docker/dockerfile:1" }],
    [
      "keys in any case, blanks anywhere",
      "#SYNTAX = docker/dockerfile:1  \n#  Check=skip=all;error=true\nFROM a",
      { syntax: "docker/dockerfile:1", check: "skip=all;error=true" },
    ],
    ["behind a comment it is a comment", "# hello\n# escape=`\nFROM a", {}],
    ["behind an unknown key it is a comment", "# foo=bar\n# escape=`\nFROM a", {}],
    ["behind a blank line it is a comment", "\n# escape=`\nFROM a", {}],
    ["behind an instruction it is a comment", "FROM a\n# escape=`", {}],
    ["behind a shebang", "#!/usr/bin/tsbuild\n# check=skip=all\nFROM a", { check: "skip=all" }],
    ["escape behind a shebang is a comment", "#!/usr/bin/tsbuild\n# escape=`\n# check=skip=all\nFROM a", { check: "skip=all" }],
    ["behind a byte order mark", "\ufeff# escape=`\nFROM a", { escape: "`" }],
    ["with CRLF", "# escape=`\r\n# check=x\r\nFROM a\r\n", { escape: "`", check: "x" }],
    ["without a value it is a comment", "# escape=\n# check=x\nFROM a", {}],
  ])("%s", (_, text, expected) => {
    const { directives, escape: escapeChar } = parse(text);
    expect(directives).toEqual(expected);
    expect(escapeChar).toBe(expected.escape ?? "\\");
  });

  it("with the backtick, a backslash is text everywhere", () => {
    const instructions = stageOf("# escape=`\nFROM a\nRUN a `\n b\nWORKDIR C:\\\nENV a=b`\\ c=d\\\nENV x=a` b y=z");
    expect(instructions.map(bare)).toEqual([
      run("a  b"),
      { keyword: "WORKDIR", value: "C:\\" },
      {
        keyword: "ENV",
        pairs: [
          { key: "a", value: "b`\\" },
          { key: "c", value: "d\\" },
        ],
      },
      {
        keyword: "ENV",
        pairs: [
          { key: "x", value: "a` b" },
          { key: "y", value: "z" },
        ],
      },
    ]);
  });
});

describe("ranges and sources", () => {
  const text = "FROM a\n\n  RUN x \\\n  # why\n    y  \n\nCOPY <<E /\nbody\nE\nUSER u";
  it("cover the whole instruction", () => {
    const [stage] = parse(text).stages;
    expect([stage?.from, ...(stage?.instructions ?? [])].map((i) => [i?.range.start, i?.range.end])).toEqual([
      [
        { line: 1, column: 1 },
        { line: 1, column: 7 },
      ],
      [
        { line: 3, column: 3 },
        { line: 5, column: 8 },
      ],
      [
        { line: 7, column: 1 },
        { line: 9, column: 2 },
      ],
      [
        { line: 10, column: 1 },
        { line: 10, column: 7 },
      ],
    ]);
  });

  it("give the text as in the file and on one line", () => {
    expect(stageOf(text).map(({ source, text }) => ({ source, text }))).toEqual([
      { source: "RUN x \\\n  # why\n    y  ", text: "RUN x     y" },
      { source: "COPY <<E /\nbody\nE", text: "COPY <<E /" },
      { source: "USER u", text: "USER u" },
    ]);
  });
});
