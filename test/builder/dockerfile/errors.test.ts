import { describe, expect, it } from "vitest";
import { formatDiagnostic } from "../../../builder/dockerfile/diagnostic.ts";
import { DockerfileError, DockerfileErrors, formatDockerfileError, located, withRange } from "../../../builder/dockerfile/errors.ts";
import { nearest } from "../../../builder/dockerfile/suggest.ts";
import { TsbuildError } from "../../../runtime-addon/index.ts";

const range = (startLine: number, startColumn: number, endLine: number, endColumn: number) => ({
  start: { line: startLine, column: startColumn },
  end: { line: endLine, column: endColumn },
});
const source = { file: "app/Dockerfile", text: "FROM a\nUSER nobody" };

function thrown(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("attaching a place", () => {
  it("keeps code, message, hint and cause", () => {
    const cause = new TsbuildError("X", "doing x: it failed", { hint: "try y" });
    const error = thrown(() =>
      withRange(source, range(2, 1, 2, 5), () => {
        throw cause;
      }),
    );
    expect(error).toBeInstanceOf(DockerfileError);
    expect(error).toMatchObject({
      name: "DockerfileError",
      code: "X",
      message: "doing x: it failed",
      hint: "try y",
      cause,
      ...source,
      range: range(2, 1, 2, 5),
    });
    expect(formatDockerfileError(error as DockerfileError)).toBe(
      ["app/Dockerfile:2:1: error: doing x: it failed [X]", "    2 │ USER nobody", "      ╵ ~~~~", "  hint: try y"].join("\n"),
    );
  });

  it("happens once: the first place stays", () => {
    const inner = new DockerfileError("X", "x", source, range(1, 1, 1, 2));
    expect(
      thrown(() =>
        withRange(source, range(2, 1, 2, 2), () => {
          throw inner;
        }),
      ),
    ).toBe(inner);
    expect(located(new DockerfileErrors([inner]), source, range(2, 1, 2, 2))).toBeInstanceOf(DockerfileErrors);
  });

  it("leaves other errors alone", () => {
    const bug = new RangeError("a bug");
    expect(
      thrown(() =>
        withRange(source, range(1, 1, 1, 2), () => {
          throw bug;
        }),
      ),
    ).toBe(bug);
  });

  it("passes the result on", () => {
    expect(withRange(source, range(1, 1, 1, 2), () => 5)).toBe(5);
  });
});

describe("several errors", () => {
  it("are one error that names the file and all of them", () => {
    const errors = new DockerfileErrors([
      new DockerfileError("X", "one", source, range(1, 1, 1, 5)),
      new DockerfileError("Y", "two", source, range(2, 6, 2, 12)),
    ]);
    expect(errors).toMatchObject({ code: "DOCKERFILE_SYNTAX", message: "reading app/Dockerfile: one; two" });
    expect(formatDockerfileError(errors)).toBe(
      [
        "app/Dockerfile:1:1: error: one [X]",
        "    1 │ FROM a",
        "      ╵ ~~~~",
        "",
        "app/Dockerfile:2:6: error: two [Y]",
        "    2 │ USER nobody",
        "      ╵      ~~~~~~",
      ].join("\n"),
    );
  });
});

describe("the printed form", () => {
  const print = (text: string, place: ReturnType<typeof range>, message = "m") =>
    formatDiagnostic({ severity: "warning", file: "D", text, range: place, message });

  it("of a warning without code", () => {
    expect(print("abc", range(1, 2, 1, 3))).toBe("D:1:2: warning: m\n    1 │ abc\n      ╵  ~");
  });

  it("aligns line numbers of different length", () => {
    const text = Array.from({ length: 12 }, (_, i) => `line ${i + 1}`).join("\n");
    expect(print(text, range(9, 1, 11, 8))).toBe(
      ["D:9:1: warning: m", "     9 │ line 9", "       │ ~~~~~~", "    10 │ line 10", "    11 │ line 11"].join("\n"),
    );
  });

  it("shows eight of many lines", () => {
    const text = Array.from({ length: 40 }, (_, i) => `l${i + 1}`).join("\n");
    const lines = print(text, range(2, 1, 40, 3)).split("\n");
    expect(lines.slice(0, 4)).toEqual(["D:2:1: warning: m", "    2 │ l2", "      │ ~~", "    3 │ l3"]);
    expect(lines.slice(-2)).toEqual(["    9 │ l9", "      ╵ … and 31 more lines"]);
  });

  it("cuts a long line around the place", () => {
    const text = `${"x".repeat(5000)}HERE${"y".repeat(5000)}`;
    const [, shown = "", mark = ""] = print(text, range(1, 5001, 1, 5005)).split("\n");
    expect(shown.length).toBeLessThan(180);
    expect(shown.indexOf("HERE")).toBe(mark.indexOf("~"));
    expect(mark.match(/~+/)?.[0]).toBe("~~~~");
  });

  it("puts a mark of one character where the range is empty or past the end", () => {
    expect(print("ab", range(1, 3, 1, 3)).split("\n")[2]).toBe("      ╵   ~");
    expect(print("", range(1, 1, 1, 1)).split("\n")[2]).toBe("      ╵ ~");
    expect(print("ab", range(7, 1, 7, 2)).split("\n")[1]).toBe("    7 │ ");
  });

  it("escape sequences, bidirectional marks and line ends in what it quotes do nothing", () => {
    const evil = "\u001b[2J\u0007\u009b1m\u202eabc\u2066\u2028\u200f\u200b\u061c\u206a\u180e\u{e0041}";
    const printed = print(`RUN ${evil}`, range(1, 1, 1, 4), `bad ${evil}\nD:1:1: error: fake`);
    expect(printed.split("\n")).toHaveLength(3);
    expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\p{Cf}]/u);
  });
});

describe("what was meant", () => {
  const words = ["FROM", "RUN", "COPY", "CMD", "ENTRYPOINT", "WORKDIR"];
  it.each([
    ["FRM", "FROM"],
    ["FORM", "FROM"],
    ["FROMM", "FROM"],
    ["from", "FROM"],
    ["RNU", "RUN"],
    ["CPOY", "COPY"],
    ["ENTRYPONIT", "ENTRYPOINT"],
    ["WORKDIRR", "WORKDIR"],
    ["WROKDRI", "WORKDIR"],
    ["RU", "RUN"],
    ["X", undefined],
    ["", undefined],
    ["FETCH", undefined],
    ["ENTRY", undefined],
    ["x".repeat(1_000_000), undefined],
  ])("%.20s", (word, expected) => {
    expect(nearest(word, words)).toBe(expected);
  });

  it("is the nearest, not the first", () => {
    expect(nearest("stage2", ["stage10", "stage", "stage3"])).toBe("stage");
    expect(nearest("stage3x", ["stage10", "stage3"])).toBe("stage3");
  });
});
