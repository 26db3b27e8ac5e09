import { isSystemError, removeTree } from "../runtime-addon/index.ts";
import type { Digest } from "../store/digest.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import type { ImageConfig } from "../store/oci.ts";
import { openPinned } from "../store/pinned-image.ts";
import { makeSecondStore } from "../store/second-store.ts";
import { openStore, type Store } from "../store/store.ts";
import { build } from "./build.ts";
import { firstDifference, type ImageDifference } from "./image-differences.ts";
import type { BuildOptions, BuiltImage } from "./options.ts";
import { epochName } from "./plan/predefined-args.ts";
import { platformsOf, severalPlatforms } from "./platforms.ts";
import type { StepInfo } from "./progress/event.ts";
import { openHost } from "./sandbox/host.ts";

/** What came of building an image once more. */
export interface Rebuild {
  readonly imageId: Digest;
  readonly rebuiltId: Digest;
  /** The image has a time of its own, which the rebuild took too: only then can it be the same. */
  readonly isDated: boolean;
  /** Absent: it is the same image. */
  readonly difference?: ImageDifference;
  /** What made the layer that differs; absent for layers of the base image. */
  readonly step?: StepInfo;
}

/**
 * Builds an image once more, as `options` say it was built, and tells in what the result differs. All steps run again, in a store of their own that begins with the images of
 * `options.store` and is gone when the promise settles; nothing is named, delivered or locked. The time is that of the options, else the one that the image was built with. Throws
 * ImageNotFoundError, SEVERAL_PLATFORMS, and as build().
 */
export async function rebuild(name: string, options: BuildOptions): Promise<Rebuild> {
  await using store = await openStore(options.store, options);
  try {
    const platforms = platformsOf(options.platform);
    if (platforms.length > 1) throw severalPlatforms(platforms, `building ${name} once more`);
    const image = await openPinned(store, name, platforms[0]);
    const directory = await store.temp("rebuild");
    try {
      await makeSecondStore(store, directory);
      const built = await build({ ...options, ...datedAs(image.config, options), ...alone(options), store: directory });
      await using second = await openStore(directory, options);
      const rebuilt = await second.images.open(built.imageId);
      const difference = await firstDifference({ store, image }, { store: second, image: rebuilt });
      const step = difference?.of === "layer" ? stepOf(built, difference.layer) : undefined;
      return {
        imageId: image.imageId,
        rebuiltId: rebuilt.imageId,
        isDated: epochOf(image.config) !== undefined,
        ...(difference === undefined ? {} : { difference }),
        ...(step === undefined ? {} : { step }),
      };
    } finally {
      await removeStore(store, directory);
    }
  } catch (error) {
    throw nameSystemError(error, store.root);
  }
}

/** Nothing but the image itself: what it is called and where it goes does not change it. */
function alone({ lock }: BuildOptions): Partial<BuildOptions> {
  return {
    tags: [],
    outputs: [{ type: "image" }],
    noCache: true,
    ...(lock === undefined ? {} : { lock: { ...lock, locked: true } }),
  };
}

function datedAs(config: ImageConfig, { sourceDateEpoch, buildArgs = {} }: BuildOptions): Pick<BuildOptions, "sourceDateEpoch"> {
  const epoch = epochOf(config);
  const isGiven = sourceDateEpoch !== undefined || buildArgs[epochName] !== undefined;
  return isGiven || epoch === undefined ? {} : { sourceDateEpoch: epoch };
}

/** Seconds. A build without an epoch takes its time from the clock, which tells parts of a second. */
function epochOf({ created }: ImageConfig): number | undefined {
  return created !== undefined && /:\d\dZ$/.test(created) ? Date.parse(created) / 1000 : undefined;
}

/** Layers of the base image are below those of the steps; merged ones are of no step of their own. */
function stepOf({ layers, steps }: BuiltImage, layer: number): StepInfo | undefined {
  const at = layer - (layers.length - steps.length);
  return at < 0 ? undefined : steps[at];
}

/** Where steps ran in a user namespace, some of it belongs to owners that only such a one has. */
async function removeStore(store: Store, directory: string): Promise<void> {
  try {
    await removeTree(directory);
  } catch (error) {
    if (!isSystemError(error, "EACCES", "EPERM")) throw error;
    const host = openHost(store, () => undefined);
    try {
      await (await host.open()).work.remove({ path: directory });
    } finally {
      await host.close();
    }
  }
}
