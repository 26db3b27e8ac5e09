import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CHECKOUT } from "./support/cli.ts";
import { sectionOf } from "./support/pages.ts";

/** Words that look like codes and are names of variables, or codes of a registry or of undici. */
const others = new Set([
  "DIGEST_INVALID",
  "SIZE_INVALID",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
  "SOURCE_DATE_EPOCH",
  "BUILDKIT_DOCKERFILE_CHECK",
  "BUILDKIT_SANDBOX_HOSTNAME",
]);
/** Files that are lists of such words: only what stands in the place of a code is one there. */
const lists = [
  "runtime-addon/capabilities.ts",
  "builder/sandbox/host-ca.ts",
  ...["call-ranges", "compile", "default-profile", "machine", "profile"].map((name) => `runtime-addon/seccomp/${name}.ts`),
];

const sources = ["builder", "store", "runtime-addon"].flatMap((folder) =>
  readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ file: `${folder}/${name}`, text: readFileSync(join(CHECKOUT, folder, name), "utf8") })),
);

/** Words of capitals with an underscore, which catches codes on their way to an error, and whatever stands where an error takes its code. */
function codesOf(text: string, file = ""): string[] {
  const words = lists.includes(file) ? [] : [...text.matchAll(/"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)"/g)];
  const codes = [...text.matchAll(/(?:new \w*(?:Error|Fault)|super)\(\s*"([A-Z][A-Z0-9_]+)"|\bcode: "([A-Z][A-Z0-9_]+)"/g)];
  return [...words, ...codes].map(([, word, code]) => word ?? code ?? "");
}

/** First column of the table, without the rows that are headings. */
function codesOfTable(): string[] {
  return sectionOf("docs/errors.md", "Codes")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| **"))
    .flatMap((line) => line.split("|")[1]?.match(/[A-Z][A-Z0-9_]+/g) ?? []);
}

describe("the table of error codes in the documentation", () => {
  const written = codesOfTable();
  const thrown = new Set(sources.flatMap(({ text, file }) => codesOf(text, file)).filter((code) => !others.has(code)));

  it("has every code of the sources", () => {
    expect([...thrown].filter((code) => !written.includes(code)).sort()).toEqual([]);
  });

  it("has no other", () => {
    expect(written.filter((code) => !thrown.has(code))).toEqual([]);
  });

  it("has each once", () => {
    expect(written.filter((code, i) => written.indexOf(code) !== i)).toEqual([]);
  });

  it("is read whole", () => {
    expect(written.length).toBeGreaterThan(100);
    expect(codesOf('throw new UsageError(\n  "EX",\n); super("FILE_Y", message); return { code: "ZED" }; fail("AB_1")')).toEqual([
      "FILE_Y",
      "AB_1",
      "EX",
      "FILE_Y",
      "ZED",
    ]);
  });
});
