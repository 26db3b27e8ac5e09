import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../../../builder/check.ts";
import type { Dockerfile, Instruction } from "../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { expandWord, expandWords } from "../../../builder/dockerfile/words.ts";
import { tsbuild } from "../cli.ts";
import { type Bench, type Built, imageName, newBench, prepare } from "./build-input.ts";
import {
  type BuildRow,
  type CacheRow,
  type CheckRow,
  type CommandRow,
  type IgnoreRow,
  type ParseRow,
  type Row,
  textOf,
  type WantedBuild,
  type WordRow,
} from "./case.ts";
import { makeFiles, tarOf } from "./context-files.ts";
import { flatImage } from "./flat-image.ts";
import { errorsOf, judgeErrors, judgeImage } from "./judge.ts";

/** Runs a row of a case; what is not as the row says makes the test fail. */
export function runRow(row: Row, bench: Bench): void | Promise<void> {
  switch (row.kind) {
    case "parse":
      return parseRow(row);
    case "word":
      return wordRow(row);
    case "ignore":
      return ignoreRow(row, bench);
    case "build":
      return buildRow(row, bench);
    case "cache":
      return cacheRow(row);
    case "check":
      return checkRow(row, bench);
    case "command":
      return commandRow(row, bench);
  }
}

async function parseRow({ dockerfile, expect: wanted }: ParseRow): Promise<void> {
  const parse = () => parseDockerfile(textOf(dockerfile), "Dockerfile");
  if (!("instructions" in wanted)) return judgeErrors(await errorsOf(parse), "error" in wanted ? [wanted.error] : wanted.errors);
  const found = instructionsOf(parse());
  expect(found.length).toBe(wanted.instructions.length);
  expect(found).toMatchObject(wanted.instructions);
}

function instructionsOf({ globals, stages }: Dockerfile): readonly Instruction[] {
  return [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
}

async function wordRow({ word, env = {}, expect: wanted, ...row }: WordRow): Promise<void> {
  const options = { escape: row.escape ?? "\\" } as const;
  const lookup = (name: string) => (Object.hasOwn(env, name) ? env[name] : undefined);
  if ("error" in wanted) judgeErrors(await errorsOf(() => expandWord(word, lookup, options)), [wanted.error]);
  else if ("words" in wanted) expect(expandWords(word, lookup, options)).toEqual(wanted.words);
  else expect(expandWord(word, lookup, options)).toBe(wanted.value);
}

async function ignoreRow({ patterns, files, expect: wanted, name }: IgnoreRow, bench: Bench): Promise<void> {
  const context = { ...Object.fromEntries(files.map((file) => [file, ""])), ".dockerignore": textOf(patterns) };
  await using prepared = await prepare(bench, { context, dockerfile: ["FROM scratch", "COPY . /"] });
  if ("error" in wanted) return judgeErrors(await errorsOf(() => prepared.build()), [wanted.error]);
  await prepared.build();
  const { entries } = await flatImage(bench.store, imageName);
  expect(
    [...entries.keys()].filter((path) => !path.endsWith("/") && path !== ".dockerignore"),
    name,
  ).toEqual([...wanted.kept].sort());
}

async function buildRow(row: BuildRow, bench: Bench): Promise<void> {
  await using prepared = await prepare(bench, row);
  await judgeBuild(() => prepared.build(), bench, row.expect);
}

async function judgeBuild(build: () => Promise<Built>, bench: Bench, wanted: WantedBuild): Promise<void> {
  if ("error" in wanted) return judgeErrors(await errorsOf(build), [wanted.error]);
  if ("errors" in wanted) return judgeErrors(await errorsOf(build), wanted.errors);
  const built = await build();
  judgeImage(await flatImage(bench.store, built.result.imageId), built, wanted);
}

async function cacheRow(row: CacheRow): Promise<void> {
  // Of its own: what another row has built must not be found.
  const bench = newBench();
  await using prepared = await prepare(bench, row);
  await prepared.build();
  const { remove = [], context = {}, ...change } = row.change;
  for (const path of remove) rmSync(join(prepared.directory, path), { recursive: true });
  await makeFiles(prepared.directory, context);
  const outcomes = outcomesOf(await prepared.build(change));
  expect(Object.fromEntries(Object.keys(row.expect).map((text) => [text, outcomes.get(text) ?? "no such step"]))).toEqual(row.expect);
}

/** How each step ended, by its instruction. */
function outcomesOf({ events }: Built): ReadonlyMap<string, string> {
  const titles = new Map(
    events.flatMap((event) => (event.type === "plan" ? event.steps.map(({ id, title }) => [id, title] as const) : [])),
  );
  return new Map(
    events.flatMap((event) =>
      event.type === "step-end" ? [[(titles.get(event.step) ?? "").replace(/^\[[^\]]*\] /, ""), event.outcome]] : [],
    ),
  );
}

async function checkRow({ dockerfile, ignore, buildArgs = {}, expect: wanted }: CheckRow, bench: Bench): Promise<void> {
  const context = ignore === undefined ? {} : { ".dockerignore": textOf(ignore) };
  await using prepared = await prepare(bench, { dockerfile, context, options: { buildArgs } });
  const { findings } = await check(await prepared.options());
  expect(findings.map(({ rule, range }) => ({ rule, line: range.start.line }))).toEqual(wanted.findings);
}

async function commandRow(row: CommandRow, bench: Bench): Promise<void> {
  await using prepared = await prepare(bench, row);
  const { addressed } = prepared.servers;
  const stdin = row.stdin === undefined ? undefined : await stdinOf(row.stdin, addressed);
  const { code, stdout, stderr } = await tsbuild(row.args.map(addressed), {
    cwd: prepared.directory,
    store: bench.store,
    ...(row.env === undefined ? {} : { env: row.env }),
    ...(stdin === undefined ? {} : { stdin }),
  });
  expect({ code, stderr: code === row.expect.code ? "" : stderr }).toEqual({ code: row.expect.code, stderr: "" });
  for (const part of row.expect.stdout ?? []) expect(stdout).toContain(part);
  for (const part of row.expect.stderr ?? []) expect(stderr).toContain(part);
  if (row.expect.image !== undefined) judgeImage(await flatImage(bench.store, imageName), { events: [] }, row.expect.image);
}

async function stdinOf(given: NonNullable<CommandRow["stdin"]>, addressed: (text: string) => string): Promise<string | Uint8Array> {
  return typeof given === "object" && "tar" in given ? tarOf(given.tar) : addressed(textOf(given));
}
