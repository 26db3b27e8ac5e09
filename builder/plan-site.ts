import type { BuildSite } from "./build-site.ts";
import { collecting, DockerfileError, DockerfileErrors, located, throwCollected } from "./dockerfile/errors.ts";
import type { FoundImage } from "./found-image.ts";
import { otherPlatform } from "./other-platform.ts";
import { type BuildPlan, type Outline, outlineBuild, planBuild } from "./plan/build-plan.ts";
import { isPredefinedArg } from "./plan/predefined-args.ts";
import { type ImageUse, imageKey } from "./plan/stages.ts";
import { refuseUnsupported } from "./steps/run-mounts.ts";

/** Images that a build needs, by imageKey, with the outline that they complete. */
export interface OutlinedSite {
  readonly outline: Outline;
  readonly images: ReadonlyMap<string, FoundImage>;
}

/** What becomes of an image that cannot be found; it throws, or the image stays unknown. */
type OnMissing = (error: unknown, use: ImageUse) => void;

/** Chooses stages and finds their images; triggers of a base may ask for more. Warns of bases of another platform. */
export async function outlineSite(site: BuildSite, onMissing: OnMissing): Promise<OutlinedSite> {
  const { dockerfile, planOptions } = site;
  const images = new Map<string, FoundImage>();
  const missing = new Set<string>();
  for (;;) {
    const outline = outlineBuild(dockerfile, planOptions, images);
    const wanted = distinct(outline.images).filter((use) => !images.has(imageKey(use)) && !missing.has(imageKey(use)));
    if (wanted.length === 0) return { outline, images };
    // All at once: each may need an answer from far away.
    const found = await Promise.allSettled(wanted.map((use) => findImage(site, use)));
    for (const [i, result] of found.entries()) {
      const use = wanted[i] as ImageUse;
      if (result.status === "fulfilled") images.set(imageKey(use), result.value);
      else missing.add(imageKey(use));
    }
    site.signal.throwIfAborted();
    const failures = found.flatMap((result, i) =>
      result.status === "rejected" ? [{ error: result.reason as unknown, use: wanted[i] as ImageUse }] : [],
    );
    if (failures.length > 1 && failures.every(({ error }) => error instanceof DockerfileError)) {
      const errors = failures.map(({ error }) => error as DockerfileError);
      onMissing(new DockerfileErrors(errors), failures[0]?.use as ImageUse);
    } else for (const { error, use } of failures) onMissing(error, use);
  }
}

/** The plan of a build, and the images that it needs. Throws all that is wrong with images or instructions, also what is planned and cannot be run. */
export async function planSite(site: BuildSite): Promise<OutlinedSite & { readonly plan: BuildPlan }> {
  const { outline, images } = await outlineSite(site, (error) => {
    throw error;
  });
  const plan = planBuild(site.dockerfile, outline, images, site.planOptions);
  refuseSteps(plan);
  warnUnused(plan, site);
  return { outline, images, plan };
}

async function findImage(
  { finder, dockerfile, lock, options }: BuildSite,
  { image: name, platform, instruction }: ImageUse,
): Promise<FoundImage> {
  try {
    const image = await (await finder()).find(name, platform);
    lock.image(name, platform, image.descriptor.digest);
    // Of a base the checks say it.
    const message = instruction.keyword === "FROM" ? undefined : otherPlatform(name, image.config, platform);
    if (message !== undefined) options.onEvent({ type: "warning", message, range: instruction.range });
    return image;
  } catch (error) {
    throw located(error, dockerfile, instruction.range);
  }
}

function distinct(uses: readonly ImageUse[]): readonly ImageUse[] {
  const found = new Map<string, ImageUse>();
  for (const use of uses) if (!found.has(imageKey(use))) found.set(imageKey(use), use);
  return [...found.values()];
}

function refuseSteps({ dockerfile, stages }: BuildPlan): void {
  const errors: DockerfileError[] = [];
  for (const { instruction, operation } of stages.flatMap(({ steps }) => steps)) {
    if (operation.op !== "run") continue;
    collecting(
      (error) => void errors.push(error),
      dockerfile,
      instruction.range,
      () => refuseUnsupported(operation),
    );
  }
  throwCollected(errors);
}

function warnUnused(plan: BuildPlan, { dockerfile, options: { buildArgs, onEvent } }: BuildSite): void {
  const used = new Set(dockerfile.globals.flatMap(({ args }) => args.map(({ name }) => name)));
  for (const { state } of plan.stages) for (const name of state.scope.args) used.add(name);
  const unused = Object.keys(buildArgs).filter((name) => !used.has(name) && !isPredefinedArg(name));
  if (unused.length > 0) onEvent({ type: "warning", message: `build arguments that no ARG declares: ${unused.join(", ")}` });
}
