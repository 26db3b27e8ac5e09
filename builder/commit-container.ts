import { holdContainer } from "../store/containers.ts";
import { TsbuildError } from "../store/errors.ts";
import type { Abortable } from "../store/file-bytes.ts";
import { parseNewName } from "../store/image-names.ts";
import type { Image } from "../store/images.ts";
import type { Store } from "../store/store.ts";
import { changedConfig } from "./image-changes.ts";
import { rfc3339 } from "./plan/rfc3339.ts";
import { openHost } from "./sandbox/host.ts";

export interface CommitOptions extends Abortable {
  /** Name for the image. */
  readonly name: string;
  /** Dockerfile instructions for its configuration, each a text of its own. Absent: none. */
  readonly changes?: readonly string[];
  /** Of the history. */
  readonly message?: string;
  readonly author?: string;
  /** Milliseconds: when the image is made. */
  readonly nowMs: number;
  /** Hears how the files are read, where that is not as this user. */
  readonly onNote: (message: string) => void;
}

/**
 * Makes an image of a kept container: its image's layers, and one of what the command changed, as `docker commit`. The container stays as it is. Throws NotFoundError,
 * CONTAINER_RUNNING, INVALID_DOCUMENT where its record was damaged, and what configOfChanges and writing a layer throw.
 */
export async function commitContainer(store: Store, containerName: string, options: CommitOptions): Promise<Image> {
  const { name, changes = [], message, author, nowMs, onNote, signal } = options;
  parseNewName(name);
  await using held = await holdContainer(store, containerName);
  const { layers, owners, config, args, state } = held.container;
  if (state.kind === "damaged") {
    throw new TsbuildError(
      "INVALID_DOCUMENT",
      `committing the container ${containerName}: its record was damaged, and its image is not known`,
      {
        hint: `its files are in ${held.directory}/upper; tsbuild rm ${containerName} removes them`,
      },
    );
  }
  const changed = changedConfig(config.config ?? {}, changes, "--change");
  await store.pin(...layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
  const host = openHost(store, onNote);
  try {
    const { work } = await host.open();
    const directory = await store.temp("commit");
    const parents = layers.map(({ diffId }) => diffId);
    const created = state.kind === "exited" ? state.created : [];
    const upper = `${held.directory}/upper`;
    await work.pack({ directory, upper, parents, owners, startedAtMs: 0, endedAtMs: 0, created }, { signal });
    const layer = await work.adopt({ directory, owners });
    const time = rfc3339(nowMs);
    const all = [...layers, layer];
    return await store.images.put({
      config: {
        ...config,
        created: time,
        ...(author === undefined ? {} : { author }),
        config: changed,
        rootfs: { type: "layers", diff_ids: all.map(({ diffId }) => diffId) },
        history: [
          ...(config.history ?? []),
          {
            created: time,
            created_by: args.join(" "),
            ...(author === undefined ? {} : { author }),
            ...(message === undefined ? {} : { comment: message }),
          },
        ],
      },
      layers: all.map(({ blob }) => blob),
      names: [name],
    });
  } finally {
    await host.close();
  }
}
