import { inParallel } from "../store/in-parallel.ts";
import type { BuildSite } from "./build-site.ts";
import { DockerfileError } from "./dockerfile/errors.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";
import { placedError } from "./placed-error.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import type { FileOrigin, GitSource, HttpSource, Operation } from "./plan/operation.ts";

/** Sources that are asked for at once. */
const parallel = 4;

/** Something that a build takes from the web or from git, and the instruction that first names it. */
interface Asked {
  readonly source: HttpSource | GitSource | { readonly kind: "context"; readonly name: string };
  readonly range: SourceRange;
}

/**
 * Asks what everything is that the steps of a plan take from the web and from git, before any of them runs: the lock hears of it. Resolves with what is wrong, by instruction. Nothing is
 * asked for twice in a build, so that the steps find the answers.
 */
export async function askSources(plan: BuildPlan, site: BuildSite): Promise<readonly DockerfileError[]> {
  const asked = [
    ...new Map(
      sourcesOf(plan, site)
        .map((one) => [JSON.stringify(one.source), one] as const)
        .reverse(),
    ).values(),
  ];
  const problems = await inParallel(asked, parallel, async ({ source, range }) => {
    try {
      site.signal.throwIfAborted();
      await ask(source, site);
      return undefined;
    } catch (error) {
      const problem = placedError(error, site.options.store, plan.dockerfile, range);
      if (problem instanceof DockerfileError) return problem;
      throw problem;
    }
  });
  return problems.filter((problem) => problem !== undefined);
}

async function ask(source: Asked["source"], { contexts, remote }: BuildSite): Promise<void> {
  if (source.kind === "context") await contexts.reader(source.name);
  else if (source.kind === "http") await (await remote()).http(source);
  else await (await remote()).git(source);
}

function sourcesOf({ stages }: BuildPlan, { options: { contexts } }: BuildSite): readonly Asked[] {
  const isRemote = (name: string): boolean => contexts[name]?.kind === "git" || contexts[name]?.kind === "http";
  const contextAt = (name: string | undefined, range: SourceRange): readonly Asked[] =>
    name === undefined || !isRemote(name) ? [] : [{ source: { kind: "context", name }, range }];
  return stages.flatMap(({ base, fromInfo, steps }) => [
    ...contextAt(base.kind === "context" ? base.context : undefined, fromInfo.range),
    ...steps.flatMap(({ operation, instruction: { range } }) => [
      ...originsOf(operation).flatMap((origin) => contextAt(origin.from === "context" ? origin.name : undefined, range)),
      ...wordsOf(operation).map((source) => ({ source, range })),
    ]),
  ]);
}

function wordsOf(operation: Operation): readonly (HttpSource | GitSource)[] {
  return operation.op === "copy" ? operation.words.filter((word) => word.kind !== "path") : [];
}

function originsOf(operation: Operation): readonly FileOrigin[] {
  switch (operation.op) {
    case "workdir":
      return [];
    case "copy":
      return [operation.origin];
    case "run":
      return operation.mounts.flatMap((mount) => ("origin" in mount && mount.origin !== undefined ? [mount.origin] : []));
  }
}
