import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { maskStream } from "../../../builder/secrets/mask.ts";
import { isPublic, secretPatterns } from "../../../builder/secrets/secret-patterns.ts";
import { openPatterns } from "../../../runtime-addon/index.ts";

const token = "s3cr3t+T0ken/of?the=team & co";
const find = (secret: string | Buffer, text: string | Buffer) => {
  const set = openPatterns(secretPatterns("id", Buffer.from(secret)));
  return set.find(Buffer.from(text), true).matches.map(({ pattern }) => pattern.form);
};
const base64Lines = (text: string) => Buffer.from(text).toString("base64").replace(/.{76}/g, "$&\n");
const od = (text: string) => Buffer.from(text).toString("hex").replace(/../g, " $&").replace(/.{48}/g, "$&\n");
const wrapped = (text: string) => text.replace(/.{20}/g, "$&\n");

describe("a secret is found", () => {
  it.each<[string, string | Buffer, string]>([
    ["as it is", `key=${token};`, "it as it is"],
    ["in base64 alone", Buffer.from(token).toString("base64"), "it in base64"],
    ["in base64 behind one byte", Buffer.from(`:${token}`).toString("base64"), "it in base64"],
    ["in base64 behind two bytes and before others", Buffer.from(`u:${token}:more`).toString("base64"), "it in base64"],
    ["in base64 for URLs", Buffer.from(`user:${token}`).toString("base64url"), "it in base64"],
    ["in base64 that is broken into lines", wrapped(Buffer.from(`user:${token}`).toString("base64")), "it in base64"],
    ["in base64 with a line that ends right behind its beginning", base64Lines(`${"\0".repeat(55)}${token}`), "it in base64"],
    ["in base64 with a line that ends a character later", base64Lines(`${"\0".repeat(56)}${token}`), "it in base64"],
    ["in hexadecimal as od writes it", od(token), "it in hexadecimal"],
    ["URL-encoded as a path", encodeURIComponent(token).replaceAll("%2F", "/"), "it URL-encoded"],
    ["URL-encoded as a whole address", encodeURI(token), "it URL-encoded"],
    ["in hexadecimal", Buffer.from(token).toString("hex"), "it in hexadecimal"],
    ["in upper case hexadecimal, in lines", wrapped(Buffer.from(token).toString("hex").toUpperCase()), "it in hexadecimal"],
    ["URL-encoded", encodeURIComponent(token), "it URL-encoded"],
    ["URL-encoded as in forms", new URLSearchParams({ a: token }).toString(), "it URL-encoded"],
    ["URL-encoded with small digits", encodeURIComponent(token).replace(/%../g, (code) => code.toLowerCase()), "it URL-encoded"],
  ])("%s", (_name, text, form) => {
    expect(find(`\n ${token}\r\n`, text)).toEqual([form]);
  });

  it("by its longer lines, each by its number", () => {
    const npmrc = "always-auth=true\n//host/:_authToken=0123456789abcdef\nshort=1\n";
    expect(find(npmrc, "x //host/:_authToken=0123456789abcdef y")).toEqual(["line 2 of it"]);
    expect(find(npmrc, Buffer.from("//host/:_authToken=0123456789abcdef").toString("base64"))).toEqual(["line 2 of it in base64"]);
    expect(find(npmrc, "short=1")).toEqual([]);
  });

  it.each([1, 2, 3])("whatever its bytes are, in every form and at every place (seed by crypto, round %i)", () => {
    const secret = Buffer.concat([Buffer.from("a"), randomBytes(40), Buffer.from("z")]);
    for (let before = 0; before < 4; before++) {
      const text = Buffer.concat([randomBytes(before), secret, randomBytes(5)]);
      for (const form of [text, text.toString("base64"), text.toString("hex")]) {
        expect(find(secret, form), secret.toString("hex")).toHaveLength(1);
      }
    }
  });
});

describe("nothing is looked for", () => {
  it.each([
    ["of less than 8 bytes", " 1234567\n"],
    ["of none", ""],
  ])("%s", (_name, secret) => {
    expect(secretPatterns("id", Buffer.from(secret))).toEqual([]);
  });

  const pem = (label: string) => `-----BEGIN ${label}-----\n${"QUJDREVGR0hJSktMTU5PUA==\n".repeat(3)}-----END ${label}-----\n`;
  it("of the lines of keys, which stand in other texts too", () => {
    expect(find(pem("PRIVATE KEY"), "QUJDREVGR0hJSktMTU5PUA==\n")).toEqual([]);
    expect(find(pem("PRIVATE KEY"), pem("PRIVATE KEY"))).toEqual(["it as it is"]);
  });

  it("knows what is public", () => {
    expect(isPublic(Buffer.from(pem("CERTIFICATE").repeat(2)))).toBe(true);
    expect(isPublic(Buffer.from(pem("CERTIFICATE") + pem("PRIVATE KEY")))).toBe(false);
    expect(isPublic(Buffer.from(token))).toBe(false);
  });
});

describe("output with secrets", () => {
  const patterns = openPatterns(secretPatterns("id", Buffer.from("supersecretvalue")));
  const run = (chunks: readonly string[]) => {
    const shown: string[] = [];
    const stream = maskStream(patterns, (chunk) => void shown.push(Buffer.from(chunk).toString()));
    for (const chunk of chunks) stream.add(Buffer.from(chunk));
    const live = shown.join("|");
    stream.end();
    return { live, whole: shown.join("") };
  };

  it.each<[string, string[], string, string]>([
    ["in one piece", ["a supersecretvalue b\n"], "a *** b\n", "a *** b\n"],
    ["in several pieces", ["a super", "secret", "value b"], "a |*** b", "a *** b"],
    ["a byte at a time", [..."xsupersecretvaluex"], "x|***|x", "x***x"],
    ["that only begin like one", ["a super", "b\n"], "a |superb\n", "a superb\n"],
    ["cut off", ["a supersecretval"], "a ", "a supersecretval"],
    ["twice, and one inside the other's beginning", ["supersupersecretvaluesupersecretvalue"], "super******", "super******"],
    ["in hexadecimal that is cut at the end of a line", ["ok 7\n", "375706572736563726574", "76616c7565 b"], "ok 7\n|*** b", "ok 7\n*** b"],
    ["of other forms", [Buffer.from("supersecretvalue").toString("hex")], "***", "***"],
  ])("%s", (_name, chunks, live, whole) => {
    expect(run(chunks)).toEqual({ live, whole });
  });

  it("wherever it is cut, shows nothing of them", () => {
    const text = `one supersecretvalue two ${Buffer.from("supersecretvalue").toString("base64")} three`;
    for (let i = 0; i <= text.length; i++) {
      for (const j of [i, i + 3, text.length]) {
        expect(run([text.slice(0, i), text.slice(i, j), text.slice(j)]).whole).toBe("one *** two *** three");
      }
    }
  });

  // In base64 the secret begins with one of c, N and z, in hexadecimal with 7.
  it.each(["WROTE\n", "abc\n", "N\n", "size z\r\n", "status 7\n", "75%\r", "step 737\n", "a\nc\n", "c\nc\n", "7\n3\n7\n"])(
    "do not hold a line back that ends as one of them begins: %j",
    (line) => {
      expect(run([line])).toEqual({ live: line, whole: line });
      expect(run([...line]).live.replaceAll("|", "")).toBe(line);
    },
  );

  it("broken into lines of any length show no more than three characters of themselves, wherever they are cut", () => {
    const text = Buffer.from("supersecretvalue").toString("base64");
    for (let width = 1; width < text.length; width++) {
      const lines = `${text.replace(new RegExp(`.{${width}}`, "g"), "$&\n").trimEnd()} b`;
      for (let cut = 0; cut < lines.length; cut++) {
        const { whole } = run([lines.slice(0, cut), lines.slice(cut)]);
        expect(whole, `${width} ${cut}`).toMatch(/^(?:[A-Za-z0-9]\n*){0,3}\*\*\*[=\n]* b$/);
      }
    }
  });

  it("that overlap are hidden as one, wherever they are cut", () => {
    const two = openPatterns(
      ["tokenPREFIX99", "PREFIX99-rest-of-it"].flatMap((secret, i) => secretPatterns(String(i), Buffer.from(secret))),
    );
    for (const [text, masked] of [
      ["a tokenPREFIX99-rest-of-it b", "a *** b"],
      ["a tokenPREFIX99-rest-of b", "a ***-rest-of b"],
    ] as const) {
      for (let cut = 0; cut <= text.length; cut++) {
        const shown: string[] = [];
        const stream = maskStream(two, (chunk) => void shown.push(Buffer.from(chunk).toString()));
        stream.add(Buffer.from(text.slice(0, cut)));
        stream.add(Buffer.from(text.slice(cut)));
        stream.end();
        expect(shown.join(""), `cut at ${cut}`).toBe(masked);
      }
    }
  });

  it("that begin and go on with empty lines are not held", () => {
    const text = `${Buffer.from("supersecretvalue").toString("base64").slice(0, 12)}${"\n".repeat(100)}`;
    expect(run([text]).live).toBe(text);
  });
});
