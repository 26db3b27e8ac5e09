import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Case, casesOf, type Row, topics } from "../support/dockerfile-cases/case.ts";
import { sectionOf } from "../support/pages.ts";
import { REQUIREMENTS } from "../support/requirements.ts";

const cases: readonly Case[] = topics().flatMap(casesOf);
const kinds: readonly Row["kind"][] = ["parse", "word", "ignore", "build", "cache", "check", "command"];

/** The rows of the documentation's table of differences, without its head: the id of a case, what differs, and why. */
function differences(): readonly (readonly [id: string, what: string, why: string])[] {
  const section = sectionOf("docs/dockerfile.md", "What differs from BuildKit");
  const [, ...rows] = section.matchAll(/^\| ([a-z0-9-]+) \| (.+?) \| (.+?) \|$/gm);
  return rows.map(([, id = "", what = "", why = ""]) => [id, what, why]);
}

describe("the cases of the language", () => {
  it("are some hundred, each with an id of its own", () => {
    expect(cases.length).toBeGreaterThan(200);
    expect(repeated(cases.map(({ id }) => id))).toEqual([]);
    expect(cases.filter(({ id }) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });

  it("say what holds, and where it is written", () => {
    expect(cases.filter(({ statement, source }) => !statement.endsWith(".") || source === "")).toEqual([]);
  });

  it("are shown by rows, or named in the table of differences with the reason", () => {
    const named = new Set(differences().map(([id]) => id));
    expect(cases.filter(({ id, rows }) => rows.length === 0 && !named.has(id)).map(({ id }) => id)).toEqual([]);
  });

  it("are in the table where they differ from BuildKit", () => {
    const differing = cases.filter(({ source }) => source.startsWith("Differs: ")).map(({ id }) => id);
    const named = new Set(differences().map(([id]) => id));
    expect(differing.filter((id) => !named.has(id))).toEqual([]);
  });

  it("are all that the table names", () => {
    const ids = new Set(cases.map(({ id }) => id));
    const found = differences();
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(([id]) => !ids.has(id))).toEqual([]);
    expect(repeated(found.map(([id]) => id))).toEqual([]);
  });

  it("have rows of known kinds, with different names, that need what can be found out", () => {
    const wrong = cases.flatMap(({ id, rows }) => [
      ...rows.filter(({ kind, needs = [] }) => !kinds.includes(kind) || needs.some((name) => !Object.hasOwn(REQUIREMENTS, name))),
      ...repeated(rows.map(({ name }) => `${id}: ${name}`)),
    ]);
    expect(wrong).toEqual([]);
  });

  it("run in CI, all of them", () => {
    const needed = new Set(cases.flatMap(({ rows }) => rows.flatMap(({ needs = [] }) => needs)));
    expect([...needed].filter((name) => "missingInCi" in REQUIREMENTS[name])).toEqual([]);
  });

  it("are each run by a test file", () => {
    const files = readdirSync(new URL(".", import.meta.url)).filter((name) => /^dockerfile-.*\.test\.ts$/.test(name));
    const texts = files.map((name) => readFileSync(new URL(name, import.meta.url), "utf8")).join("");
    expect(topics().filter((topic) => !texts.includes(`testTopic("${topic}")`))).toEqual([]);
  });
});

function repeated(names: readonly string[]): readonly string[] {
  return names.filter((name, index) => names.indexOf(name) < index);
}
