/** Draws whole numbers from 0 to `below` - 1. */
export type Draw = (below: number) => number;

export interface IgnoreInput {
  /** Lines of an ignore file. */
  readonly lines: readonly string[];
  readonly paths: readonly string[];
}

export interface WordInput {
  readonly word: string;
  readonly escape: "\\" | "`";
  readonly env: Readonly<Record<string, string>>;
}

const pick = <T>(draw: Draw, from: readonly T[]): T => from[draw(from.length)] as T;
const some = <T>(draw: Draw, most: number, make: () => T): T[] => Array.from({ length: draw(most + 1) }, make);

const junk = [
  ..."\\`'\"$<>|&;#=[]{},:/!?*@- \t\r\n",
  ...["\\\n", "<<EOF", "<<-E", "\nEOF\n", "--", "--from=", "AS", "ONBUILD ", "é", "😀", "\u0000", "\ufeff", "\u202e", "${", "FROM "],
] as const;

/** A Dockerfile that mostly parses, with something odd in it now and then. */
export function dockerfileInput(draw: Draw): string {
  const word = () =>
    pick(draw, ["a", "b/c", "$x", "${y:-z}", "${v%%.*}", "'q q'", '"d $x"', "x\\ y", "1", "é", "--", "#no", "*.js", "[ab]?"]);
  const plain = () => pick(draw, ["a", "b", "c1", "x.y", "dir/"]);
  const gap = () => pick(draw, [" ", " ", "  ", "\t", " \\\n  ", " \\\n# comment\n ", " \\  \n"]);
  const words = () => [word(), ...some(draw, 3, word)].join(gap());
  const body = () => some(draw, 3, () => pick(draw, ["echo $x", "# text", "\ttabbed", "", "EOF ", "a \\", "<<NO"])).join("\n");
  const heredoc = () => {
    const name = pick(draw, ["EOF", "E", "f.txt"]);
    const quoted = pick(draw, [name, `"${name}"`, `'${name}'`, name]);
    const dash = pick(draw, ["", "-"]);
    return { open: `<<${dash}${quoted}`, tail: `\n${body()}\n${dash === "-" && draw(2) === 0 ? "\t" : ""}${name}` };
  };
  const mount = () =>
    pick(draw, [
      "type=bind,target=/m",
      "type=cache,target=/c,id=i,sharing=locked",
      "type=tmpfs,dst=/t,size=1m",
      "type=secret,id=s,env=S",
      "target=/x,from=a,ro",
    ]);
  const instruction = (): string =>
    pick(draw, [
      () => `RUN${gap()}${words()}`,
      () => `RUN --mount=${mount()}${gap()}${words()}`,
      () => `RUN ["a", "b ${plain()}"]`,
      () => {
        const { open, tail } = heredoc();
        return `RUN ${open}${gap()}${plain()}${tail}`;
      },
      () => `COPY --chown=${plain()}:${plain()}${gap()}${words()}${gap()}${plain()}`,
      () => `COPY --from=a --link ${plain()} ${plain()}`,
      () => {
        const { open, tail } = heredoc();
        return `COPY ${open} /d/${tail}`;
      },
      () => `ADD ["${plain()}", "${plain()}"]`,
      () => `ENV ${plain()}=${plain()} b="${plain()} c"`,
      () => `ENV ${plain()} ${plain()} rest of it`,
      () => `LABEL a.b="c" 'd'=e`,
      () => `ARG ${pick(draw, ["x", "y=1", "v=a.b.c z"])}`,
      () => `EXPOSE ${pick(draw, ["80", "1-3/udp", "$x"])}`,
      () => `CMD ${pick(draw, ['["a"]', "a b", "['a']", "[1]"])}`,
      () => `ENTRYPOINT ${pick(draw, ['["a"]', "a"])}`,
      () => `HEALTHCHECK ${pick(draw, ["NONE", "CMD a", "--interval=1s --retries=2 CMD a"])}`,
      () => `ONBUILD ${pick(draw, ["RUN a", "COPY a b", "RUN <<E\nx\nE"])}`,
      () => `SHELL ["/bin/sh", "-c"]`,
      () => `USER ${plain()}`,
      () => `WORKDIR /${plain()}`,
      () => `VOLUME ${pick(draw, ['["/a"]', "/a /b"])}`,
      () => `STOPSIGNAL ${pick(draw, ["SIGTERM", "9"])}`,
      () => `MAINTAINER ${plain()}`,
      () => `FROM ${plain()} AS ${pick(draw, ["a", "b", "c"])}`,
      () => "FROM scratch",
    ])();
  const head = pick(draw, ["", "", "# syntax=docker/dockerfile:1\n", "# escape=`\n", "#!/bin/x\n# check=skip=all\n", "\ufeff"]);
  const lineEnd = () => pick(draw, ["\n", "\n", "\n\n", "\n# comment\n", "\r\n", "\n  "]);
  let text = `${head}${draw(8) === 0 ? "ARG g=1\n" : ""}FROM base${some(draw, 6, () => lineEnd() + instruction()).join("")}\n`;
  // Half of the files get a few accidents.
  if (draw(2) === 0) for (let i = draw(4); i > 0; i--) text = withAccident(draw, text);
  return text;
}

function withAccident(draw: Draw, text: string): string {
  const at = draw(text.length + 1);
  const cut = draw(3) === 0 ? draw(6) : 0;
  return text.slice(0, at) + pick(draw, junk) + text.slice(at + cut);
}

/** A word with expansions, well-formed or not. */
export function wordInput(draw: Draw): WordInput {
  const name = () => pick(draw, ["x", "y", "unset", "long_NAME1", "é", "1", "@"]);
  const piece = (depth: number): string =>
    pick(draw, [
      () => pick(draw, ["a", "b.c", "/", " ", "é😀", "*", "?", "\\$", "\\", "`"]),
      () => `$${name()}`,
      () => `\${${name()}}`,
      () => `\${${name()}${pick(draw, [":-", "-", ":+", "+", ":?", "?", "#", "##", "%", "%%"])}${depth > 3 ? "w" : pieces(depth + 1)}}`,
      () => `\${${name()}${pick(draw, ["/", "//"])}${depth > 3 ? "a" : pieces(depth + 1)}/${depth > 3 ? "b" : pieces(depth + 1)}}`,
      () => `'${pick(draw, ["", "a b", "$x", "\\"])}'`,
      () => `"${depth > 3 ? "w" : pieces(depth + 1)}"`,
    ])();
  const pieces = (depth: number): string => some(draw, 3, () => piece(depth)).join("");
  let word = pieces(0);
  if (draw(4) === 0) word = withAccident(draw, word);
  return { word, escape: draw(4) === 0 ? "`" : "\\", env: { x: "value/of.x.tar", y: "", long_NAME1: "a b  c", é: "$x", 1: "one" } };
}

/** Lines of instructions that a plan takes, "%" standing for a number. None whose result grows with what stands before it, as the environment of a RUN does. */
export function planInput(draw: Draw): string {
  const line = () =>
    pick(draw, [
      "ENV e%=v f=$e%",
      "ENV p%=$e%",
      "ARG a%=v",
      "ARG b% c%=$b%",
      "LABEL l%=$a% m=n",
      "EXPOSE 1% 80",
      "VOLUME /v% /w",
      "ONBUILD RUN t%",
      "COPY c% d% /$e/",
      "USER u%",
      "CMD c%",
      "WORKDIR /w%",
      "FROM scratch AS s%",
      "FROM scratch AS t%\nENV g%=h\nFROM t%",
      "COPY --from=0 f% /",
    ]);
  return `\n${[line(), ...some(draw, 3, line)].join("\n")}`;
}

/** An ignore file and paths that its patterns have a chance to match. */
export function ignoreInput(draw: Draw): IgnoreInput {
  const name = () => pick(draw, ["a", "b", "ab", "a.b", ".a", "é", "a b", "x"]);
  const part = () =>
    pick(draw, [
      name,
      name,
      () => "*",
      () => "**",
      () => `*${name()}`,
      () => `${name()}*`,
      () => "?",
      () => "[ab]",
      () => "[^a]",
      () => "[a-c]*",
      () => `\\${name()}`,
      () => "..",
      () => ".",
      () => `**${name()}`,
    ])();
  const pattern = () => [part(), ...some(draw, 3, part)].join("/");
  const line = () =>
    pick(draw, ["", "", "", "!", "! ", "/", " "]) +
    pattern() +
    pick(draw, ["", "", "", "/", " ", "/**", "\r"]) +
    (draw(40) === 0 ? pick(draw, junk) : "");
  const lines = [line(), ...some(draw, 5, () => (draw(12) === 0 ? pick(draw, ["# a", "", "!", "/", ".", " #a"]) : line()))];
  const paths = [name(), ...some(draw, 5, () => [name(), ...some(draw, 3, name)].join("/"))];
  return { lines: lines.map((text) => text.replaceAll("\n", "")), paths };
}
