import { type BuildSite, withBuildSites } from "./build-site.ts";
import type { CheckInput } from "./checks/check-input.ts";
import { tolerant } from "./checks/checked-file.ts";
import { falseJson } from "./checks/false-json.ts";
import { checksAsErrors, checksAsWarnings } from "./checks/report.ts";
import { type CheckReport, runChecks } from "./checks/run-checks.ts";
import { type ListedStage, listStages } from "./checks/stage-list.ts";
import { byPosition, DockerfileError, DockerfileErrors, type Source, throwCollected } from "./dockerfile/errors.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { isLockError } from "./lock/lock.ts";
import type { BuildOptions } from "./options.ts";
import { type BuildPlan, type PlanOptions, planBuild } from "./plan/build-plan.ts";
import { epochSource } from "./plan/source-date-epoch.ts";
import { imageKey } from "./plan/stages.ts";
import { type OutlinedSite, outlineSite, type PlannedSite, planSite } from "./plan-site.ts";

/** What there is to say about a Dockerfile that nobody builds. */
export interface CheckResult extends CheckReport {
  readonly source: Source;
  /** What a build would refuse, as far as that shows without running anything. */
  readonly errors: readonly DockerfileError[];
  /** All of the file; none where it cannot be read. */
  readonly stages: readonly ListedStage[];
}

/**
 * Checks a Dockerfile and runs nothing: its targets, or every stage where none is named. Base images are looked up as a build does; where one cannot be found the rules that
 * need it keep silent, and a note says so; where it is not what is locked that is an error. What is wrong with the Dockerfile is part of the result; throws what is wrong with anything else.
 */
export async function check(options: BuildOptions): Promise<CheckResult> {
  try {
    return await withBuildSites(options, async ([first, ...others]) => {
      const result = await checkSite(first);
      // What is there for several platforms alike is said once.
      return joined([result, ...(await Promise.all(others.map(checkSite)))], result);
    });
  } catch (error) {
    const errors = dockerfileErrors(error);
    const [first] = errors;
    if (first === undefined) throw error;
    return { source: { file: first.file, text: first.text }, findings: [], isStrict: false, notes: [], errors, stages: [] };
  }
}

/**
 * Plans a build and runs the checks: as planSite and applyChecks. `refuse` throws what else is wrong with a plan. Where the Dockerfile cannot be built the findings are told all the
 * same, as warnings, before the error is thrown: one of them may be why.
 */
export async function planChecked(site: BuildSite, refuse: (plan: BuildPlan) => void = () => undefined): Promise<PlannedSite> {
  let outlined: OutlinedSite | undefined;
  let planned: PlannedSite;
  try {
    planned = await planSite(site, undefined, (found) => {
      outlined = found;
    });
    refuse(planned.plan);
  } catch (error) {
    if (dockerfileErrors(error).length > 0) await tellFindings(site, outlined);
    throw error;
  }
  await applyChecks(site, planned);
  return planned;
}

/** Of a Dockerfile that cannot be built: check options that cannot be read are no news then. */
async function tellFindings(site: BuildSite, outlined: OutlinedSite | undefined): Promise<void> {
  const input = await inputOf(site, site.planOptions, outlined);
  const report = tolerant(() => runChecks(input));
  checksAsWarnings(report?.findings ?? []).forEach(site.options.onEvent);
}

function joined(results: readonly CheckResult[], first: CheckResult): CheckResult {
  return {
    ...first,
    findings: distinct(results.flatMap(({ findings }) => findings)),
    isStrict: results.some(({ isStrict }) => isStrict),
    notes: distinct(results.flatMap(({ notes }) => notes)),
    errors: distinct(
      results.flatMap(({ errors }) => errors),
      ({ code, message, range }) => [code, message, range],
    ).toSorted(byPosition),
  };
}

function distinct<T>(all: readonly T[], keyOf: (one: T) => unknown = (one) => one): readonly T[] {
  const found = new Map<string, T>();
  for (const one of all) {
    const key = JSON.stringify(keyOf(one));
    if (!found.has(key)) found.set(key, one);
  }
  return [...found.values()];
}

/** Runs the checks for the stages that a build needs: warnings and notes to its events. Throws CHECK_FAILED where the Dockerfile wants findings to be errors. */
async function applyChecks(site: BuildSite, outlined: OutlinedSite): Promise<void> {
  const { dockerfile, planOptions, options, onNote } = site;
  const report = runChecks(await inputOf(site, planOptions, outlined));
  for (const note of report.notes) onNote(note);
  for (const found of falseJson(outlined.outline.plan.stages)) options.onEvent({ type: "warning", ...found });
  throwCollected(checksAsErrors(report, dockerfile));
  checksAsWarnings(report.findings).forEach(options.onEvent);
}

async function checkSite(given: BuildSite): Promise<CheckResult> {
  const { dockerfile } = given;
  const planOptions = allStages(given.planOptions, dockerfile);
  const { onEvent } = given.options;
  // A base for another platform is a finding of its own.
  const options = { ...given.options, onEvent: (event: Parameters<typeof onEvent>[0]) => event.type !== "warning" && onEvent(event) };
  const site: BuildSite = { ...given, options, planOptions };
  const errors: DockerfileError[] = [];
  const missing: string[] = [];
  const outlined = await outlineSite(site, (error, { image }) => {
    if (isLockError(error) || error.code === "INVALID_REFERENCE") errors.push(error);
    else missing.push(`${image} is not known, and the checks that need it are left out: ${withHint(error)}`);
  }).catch((error: unknown) => void errors.push(...orThrow(error)));
  const input = await inputOf(site, planOptions, outlined ?? undefined);
  const report = runChecks(input);
  if (outlined) errors.push(...planningErrors(dockerfile, outlined, planOptions));
  // A stage that gives the time is planned too: what is wrong with it was said.
  if (outlined && errors.length === 0) errors.push(...epochErrors(site));
  return {
    ...report,
    notes: [...report.notes, ...falseJson(input.stages).map(({ range, message }) => `line ${range.start.line}: ${message}`), ...missing],
    source: dockerfile,
    errors: errors.sort(byPosition),
    stages: listStages(input),
  };
}

async function inputOf({ dockerfile, contexts }: BuildSite, options: PlanOptions, outlined: OutlinedSite | undefined): Promise<CheckInput> {
  const { ignore } = await contexts.dockerfile();
  const [target] = options.targets;
  return {
    dockerfile,
    buildArgs: options.buildArgs,
    platform: options.platform,
    stages: outlined?.outline.plan.stages ?? [],
    images: outlined?.images ?? new Map(),
    ...(target === undefined || target === "*" ? {} : { target }),
    ...(ignore === undefined ? {} : { ignore }),
  };
}

/** No target means all, and then TARGETSTAGE is what it is in a build without one. */
function allStages(options: PlanOptions, { stages }: Dockerfile): PlanOptions {
  if (options.targets.length > 0) return options;
  const last = stages.at(-1)?.from.stage?.toLowerCase() ?? "default";
  return { ...options, targets: ["*"], buildArgs: { TARGETSTAGE: last, ...options.buildArgs } };
}

/** Only where all images are known: otherwise no plan can be made. */
function planningErrors(dockerfile: Dockerfile, { outline, images }: OutlinedSite, options: PlanOptions): readonly DockerfileError[] {
  if (outline.images.some((use) => !images.has(imageKey(use)))) return [];
  try {
    planBuild(dockerfile, outline, images, options);
    return [];
  } catch (error) {
    return orThrow(error);
  }
}

function epochErrors({ dockerfile, planOptions, options }: BuildSite): readonly DockerfileError[] {
  try {
    epochSource(dockerfile, planOptions, options.sourceDateEpoch);
    return [];
  } catch (error) {
    return orThrow(error);
  }
}

/** On one line. */
function withHint({ message, hint }: DockerfileError): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

function orThrow(error: unknown): readonly DockerfileError[] {
  const errors = dockerfileErrors(error);
  if (errors.length === 0) throw error;
  return errors;
}

function dockerfileErrors(error: unknown): readonly DockerfileError[] {
  if (error instanceof DockerfileErrors) return error.errors;
  return error instanceof DockerfileError ? [error] : [];
}
