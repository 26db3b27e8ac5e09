import { TsbuildError } from "../store/errors.ts";
import { askSources } from "./ask-sources.ts";
import type { BuildSite } from "./build-site.ts";
import { DockerfileError, throwCollected } from "./dockerfile/errors.ts";
import type { FoundImage } from "./found-image.ts";
import { imageHint } from "./image-hint.ts";
import { otherPlatform } from "./other-platform.ts";
import { placedError } from "./placed-error.ts";
import { type BuildPlan, type Outline, outlineBuild, planBuild } from "./plan/build-plan.ts";
import { refuseUnknownArchitecture, unknownPlatform } from "./plan/known-platform.ts";
import { normalizePlatform } from "./plan/platform.ts";
import { type ImageUse, imageKey } from "./plan/stages.ts";
import { warnUnused } from "./warn-unused.ts";

/** Images that a build needs, by imageKey, with the outline that they complete. */
export interface OutlinedSite {
  readonly outline: Outline;
  readonly images: ReadonlyMap<string, FoundImage>;
}

export interface PlannedSite extends OutlinedSite {
  readonly plan: BuildPlan;
}

/** Hears what is wrong with an image: it cannot be found, and stays unknown, or it is not what is locked. What it throws ends the search. */
type OnProblem = (error: DockerfileError, use: ImageUse) => void;

/** What became of the search for an image; both, where it is not what is locked. */
interface Search {
  readonly image?: FoundImage;
  readonly problem?: unknown;
}

/**
 * Chooses stages and finds their images, but those that are `known`; triggers of a base may ask for more. Warns of images of another platform. Throws what is wrong with the
 * choice of stages.
 */
export async function outlineSite(
  site: BuildSite,
  onProblem: OnProblem,
  known: ReadonlyMap<string, FoundImage> = new Map(),
): Promise<OutlinedSite> {
  const { dockerfile, planOptions } = site;
  const images = new Map(known);
  const missing = new Set<string>();
  for (;;) {
    const outline = outlineBuild(dockerfile, planOptions, images);
    const wanted = distinct(outline.images).filter((use) => !images.has(imageKey(use)) && !missing.has(imageKey(use)));
    if (wanted.length === 0) return { outline, images };
    // All at once: each may need an answer from far away.
    const searches = await Promise.all(wanted.map(async (use) => ({ use, ...(await findImage(site, use)) })));
    site.signal.throwIfAborted();
    for (const { use, image, problem } of searches) {
      if (image === undefined) missing.add(imageKey(use));
      else images.set(imageKey(use), image);
      if (problem instanceof DockerfileError) onProblem(problem, use);
      else if (problem !== undefined) throw problem;
    }
  }
}

/**
 * The plan of a build, and the images that it needs. `onOutline` hears the outline before the plan is made, as far as its images were found. Throws all that is wrong with images or instructions. Where the build is locked everything that it takes from elsewhere was
 * compared with the lock, and all that differs is thrown at once.
 */
export async function planSite(
  site: BuildSite,
  known?: ReadonlyMap<string, FoundImage>,
  onOutline?: (outlined: OutlinedSite) => void,
): Promise<PlannedSite> {
  const problems: DockerfileError[] = [];
  const { outline, images } = await outlineSite(site, (error) => void problems.push(error), known);
  onOutline?.({ outline, images });
  if (!outline.images.every((use) => images.has(imageKey(use)))) throwCollected(problems);
  const plan = planBuild(site.dockerfile, outline, images, site.planOptions);
  if (site.lock.isLocked) problems.push(...(await askSources(plan, site)));
  throwCollected(problems);
  if (site.asked !== undefined)
    refuseUnknownArchitecture(
      site.asked,
      [...images.values()].map(({ config }) => normalizePlatform(config)),
    );
  warnUnknownPlatforms(outline, site);
  warnUnused(plan, outline, site);
  return { outline, images, plan };
}

/** Of a base that is no image: an image has it, or cannot be found. */
function warnUnknownPlatforms({ plan }: Outline, { options: { onEvent } }: BuildSite): void {
  for (const { base, platform, stage } of plan.stages) {
    const message = base.kind === "image" || platform === undefined ? undefined : unknownPlatform(platform);
    if (message !== undefined) onEvent({ type: "warning", message, range: stage.from.range });
  }
}

async function findImage({ finder, dockerfile, lock, options }: BuildSite, use: ImageUse): Promise<Search> {
  const { image: name, platform, instruction } = use;
  const at = (error: unknown): unknown => placedError(error, options.store, dockerfile, instruction.range);
  let image: FoundImage;
  try {
    image = await (await finder()).find(name, platform);
  } catch (error) {
    const contexts = Object.entries(options.contexts).map(
      ([context, source]) => [context, source.kind === "image" ? source.image : undefined] as const,
    );
    return { problem: at(withHint(error, (code) => imageHint(code, { ...use, dockerfile, contexts: new Map(contexts) }))) };
  }
  // Of a base the checks say it.
  const message = instruction.keyword === "FROM" ? undefined : otherPlatform(name, image.config, platform);
  if (message !== undefined) options.onEvent({ type: "warning", message, range: instruction.range });
  try {
    lock.image(name, platform, image.descriptor.digest);
    return { image };
  } catch (error) {
    return { image, problem: at(error) };
  }
}

/** The error, with what it may be about in front of its own hint. */
function withHint(error: unknown, hintFor: (code: string) => string | undefined): unknown {
  if (!(error instanceof TsbuildError)) return error;
  const own = hintFor(error.code);
  if (own === undefined) return error;
  return new TsbuildError(error.code, error.message, { cause: error, hint: error.hint === undefined ? own : `${own}; ${error.hint}` });
}

function distinct(uses: readonly ImageUse[]): readonly ImageUse[] {
  const found = new Map<string, ImageUse>();
  for (const use of uses) if (!found.has(imageKey(use))) found.set(imageKey(use), use);
  return [...found.values()];
}
