import { familiarName, type Reference } from "../../store/reference.ts";
import { pullImage } from "../../store/registry/pull.ts";
import { otherPlatform } from "../other-platform.ts";
import { parsePlatform } from "../plan/platform.ts";
import { command } from "./command.ts";
import { withLimitedStore } from "./keep-store-limits.ts";
import { explainingNames, hubHint } from "./name-hint.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { readRemoteName } from "./remote-name.ts";
import { storeFlags } from "./store-flag.ts";
import { showTransfers } from "./transfers.ts";
import { readPlatform } from "./values.ts";

export const pull = command(
  {
    name: "pull",
    operands: "NAME…",
    summary:
      "Bring images from their registries into the store. Of an image for several platforms one is fetched; another pull adds another one. Prints each image's name with its digest.",
    flags: {
      platform: { value: "OS/ARCH", help: "Platform of the images (this machine's)" },
      quiet: { short: "q", help: "Show no progress" },
      ...registryFlags,
      ...storeFlags,
    },
    foreign: {
      "all-platforms": { missing: "one is pulled at a time; tsbuild copy --all-platforms NAME store:NAME brings all" },
      "all-tags": { short: "a", missing: "name the tags; tsbuild ls-remote lists them" },
      creds: { value: true, missing: "tsbuild login keeps credentials, and none are in the list of processes" },
      "disable-content-trust": { note: "content trust is not used" },
      policy: { value: true, off: "always", missing: "the registry is always asked" },
    },
    examples: ["tsbuild pull debian:12", "tsbuild pull --platform linux/arm64 alpine ghcr.io/owner/app:v1"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) => {
    const references = operands.map((text) => ({ text, reference: readRemoteName(text) }));
    const platform = flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
    return withLimitedStore(flags, io, async (store) => {
      await using registry = await openRegistryFor(flags, io);
      for (const { text, reference } of references) {
        const image = await showTransfers(io, flags, async ({ onEvent, onNote }) => {
          const pulled = await explainingNames([text], hubHint, () =>
            pullImage(store, registry, reference, { platform, signal: io.signal, onEvent }),
          );
          // An image that is there for one platform only is taken whatever it is for.
          const note = platform && otherPlatform(familiarName(reference), pulled.config, platform);
          if (note !== undefined) onNote(note);
          return pulled;
        });
        if (!flags.quiet)
          io.stderr.write(image.upToDate ? `${familiarName(reference)} is up to date\n` : `pulled ${familiarName(reference)}\n`);
        io.stdout.write(`${pulledName(reference, image.listed.digest)}\n`);
      }
      return 0;
    });
  },
);

function pulledName({ registry, repository }: Reference, digest: NonNullable<Reference["digest"]>): string {
  return familiarName({ registry, repository, digest });
}
