import { parseNewName } from "../store/image-names.ts";
import type { LayerRef } from "../store/open-rootfs.ts";
import { platformText } from "../store/platform.ts";
import { familiarName } from "../store/reference.ts";
import type { Store } from "../store/store.ts";
import { type Delivered, deliver, imageEvent } from "./deliver.ts";
import { deliverFiles } from "./deliver-files.ts";
import { deliverIndex } from "./deliver-index.ts";
import { type BuiltPlan, finishImage } from "./finish-image.ts";
import type { FinishedTarget } from "./finished-target.ts";
import { hasNames } from "./named-outputs.ts";
import type { BuiltImage } from "./options.ts";
import type { StageWork } from "./plan/build-plan.ts";

/** Plans of one build, for one platform each, whose steps are done. */
export type BuiltPlans = readonly [BuiltPlan, ...BuiltPlan[]];

/**
 * Makes the images and puts them where they shall go: files first, so that a name changes only when all else has come out well. `names`: by the targets of the first plan; those of
 * the others are the same.
 */
export async function deliverTargets(
  store: Store,
  plans: BuiltPlans,
  names: ReadonlyMap<StageWork, readonly string[]>,
): Promise<readonly BuiltImage[]> {
  const [{ plan, site }] = plans;
  const { options } = site;
  const { fetcher } = await site.finder();
  const deliverOptions = { ...site, fetcher, onEvent: options.onEvent };
  const targets: FinishedTarget[] = [];
  for (const [i, target] of plan.targets.entries()) {
    const own = hasNames(options.outputs) ? (names.get(target) ?? []) : [];
    targets.push(await finishTarget(store, plans, i, [...new Set(own.map((name) => familiarName(parseNewName(name))))]));
  }
  const written = await deliverFiles(store, targets, options.outputs, deliverOptions);
  const images: BuiltImage[] = [];
  for (const [i, target] of targets.entries()) {
    const archived = written[i];
    const { delivered, built } = await deliverTarget(store, target, { ...deliverOptions, ...(archived && { archived }) });
    const platforms = built.platforms?.map(({ platform }) => platform);
    options.onEvent(
      imageEvent(
        delivered,
        target.images.flatMap(({ layers }) => layers),
        platforms,
      ),
    );
    images.push(built);
  }
  return images;
}

async function finishTarget(store: Store, plans: BuiltPlans, i: number, names: readonly string[]): Promise<FinishedTarget> {
  const [{ site }] = plans;
  const { target: asked, placedAnnotations } = site.options;
  const images = [];
  let called = "";
  for (const built of plans) {
    const target = built.plan.targets[i];
    if (target === undefined) throw new RangeError(`there is no target ${i}`);
    if (asked !== undefined) called = target.name ?? String(target.index);
    images.push(await finishImage(store, built, target, names));
  }
  return { target: called, names, images, annotations: placedAnnotations };
}

async function deliverTarget(
  store: Store,
  target: FinishedTarget,
  options: Parameters<typeof deliver>[3] & Pick<BuiltPlan["site"], "options">,
): Promise<{ readonly delivered: Delivered; readonly built: BuiltImage }> {
  const { outputs } = options.options;
  const [image, ...others] = target.images;
  if (image === undefined) throw new RangeError("a target has no image");
  if (others.length === 0) {
    const delivered = await deliver(store, image, outputs, options);
    const { imageId, manifestDigest, names } = delivered;
    const built = {
      target: target.target,
      imageId,
      ...withDigest(manifestDigest),
      names,
      layers: diffIds(image.layers),
      steps: image.steps,
    };
    return { delivered, built };
  }
  const { manifests, ...delivered } = await deliverIndex(store, target, outputs, options);
  const platforms = target.images.map(({ platform, layers, steps }, i) => ({
    platform: platformText(platform),
    imageId: manifests[i]?.imageId ?? "",
    ...withDigest(manifests[i]?.manifestDigest),
    layers: diffIds(layers),
    steps,
  }));
  const { imageId, manifestDigest, names } = delivered;
  return { delivered, built: { target: target.target, imageId, ...withDigest(manifestDigest), names, layers: [], steps: [], platforms } };
}

function withDigest(manifestDigest: string | undefined): Pick<BuiltImage, "manifestDigest"> {
  return manifestDigest === undefined ? {} : { manifestDigest };
}

function diffIds(layers: readonly LayerRef[]): readonly string[] {
  return layers.map(({ diffId }) => diffId);
}
