import type { BuildSite } from "./build-site.ts";
import { firstSuggestions } from "./dockerfile/suggest.ts";
import { hasNames } from "./named-outputs.ts";
import type { BuildPlan, Outline } from "./plan/build-plan.ts";
import { isPredefinedArg } from "./plan/predefined-args.ts";
import { epochSource } from "./plan/source-date-epoch.ts";

/** Warns of what was given by name and means nothing to the build: build arguments, contexts, stages to run again, and names. */
export function warnUnused(plan: BuildPlan, outline: Outline, site: BuildSite): void {
  const { onEvent } = site.options;
  for (const message of [unusedArgs(plan, site), unusedContexts(outline, site), unknownStages(site), unusedNames(site)]) {
    if (message !== undefined) onEvent({ type: "warning", message });
  }
}

function unusedArgs(plan: BuildPlan, { dockerfile, options: { buildArgs } }: BuildSite): string | undefined {
  const used = new Set(dockerfile.globals.flatMap(({ args }) => args.map(({ name }) => name)));
  for (const { state } of plan.stages) for (const name of state.scope.args.keys()) used.add(name);
  const unused = Object.keys(buildArgs).filter((name) => !used.has(name) && !isPredefinedArg(name));
  return listed("build arguments that no ARG declares", unused, used);
}

/** What has no context is an image or a stage: a misspelt context's name is like one of theirs. */
function unusedContexts({ images, contexts }: Outline, { dockerfile, planOptions, options }: BuildSite): string | undefined {
  const unread = Object.keys(options.contexts).filter((name) => !contexts.has(name));
  if (unread.length === 0) return undefined;
  const epoch = epochSource(dockerfile, planOptions, options.sourceDateEpoch);
  const unused = unread.filter((name) => epoch?.from !== "context" || epoch.name !== name);
  return listed("contexts that the build does not use", unused, [...images.map(({ image }) => image), ...stageNames(dockerfile)]);
}

function unknownStages({ dockerfile, options: { noCacheFilter } }: BuildSite): string | undefined {
  const names = stageNames(dockerfile);
  const known = new Set(dockerfile.stages.flatMap(({ from }, index) => [String(index), from.stage?.toLowerCase() ?? ""]));
  const unknown = noCacheFilter.filter((name) => !known.has(name.toLowerCase()));
  return listed("stages to run again that the Dockerfile does not have", unknown, names);
}

function unusedNames({ options: { tags, outputs } }: BuildSite): string | undefined {
  if (tags.length === 0 || hasNames(outputs)) return undefined;
  return `names that nothing bears, since no output has an image: ${tags.join(", ")}`;
}

function stageNames({ stages }: BuildSite["dockerfile"]): readonly string[] {
  return stages.flatMap(({ from }) => from.stage ?? []);
}

function listed(what: string, names: readonly string[], candidates: Iterable<string>): string | undefined {
  const known = [...candidates];
  const suggest = firstSuggestions();
  const shown = names.map((name) => {
    const near = suggest(name, () => known);
    return near === undefined ? name : `${name} (did you mean ${near}?)`;
  });
  return shown.length === 0 ? undefined : `${what}: ${shown.join(", ")}`;
}
