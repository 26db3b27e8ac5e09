import { familiarName, parseReference, type Reference } from "../../store/reference.ts";
import { pullImage } from "../../store/registry/pull.ts";
import { parsePlatform } from "../plan/platform.ts";
import { transferDisplay } from "../progress/transfers.ts";
import { command } from "./command.ts";
import { withStore } from "./open-store.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { storeFlags } from "./store-flag.ts";
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
      "all-tags": { short: "a", missing: "name the tags; tsbuild ls-remote lists them" },
      creds: { value: true, missing: "tsbuild login keeps credentials, and none are in the list of processes" },
      "disable-content-trust": { note: "content trust is not used" },
      policy: { value: true, off: "always", missing: "the registry is always asked" },
    },
    examples: ["tsbuild pull debian:12", "tsbuild pull --platform linux/arm64 alpine ghcr.io/owner/app:v1"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) => {
    const references = operands.map(parseReference);
    const platform = flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
    return withStore(flags, io, async (store) => {
      await using registry = await openRegistryFor(flags, io);
      for (const reference of references) {
        const display = transferDisplay(io, { quiet: flags.quiet ?? false });
        let name: string;
        let upToDate: boolean;
        try {
          const image = await pullImage(store, registry, reference, { platform, signal: io.signal, onEvent: display.onEvent });
          name = pulledName(reference, image.listed.digest);
          upToDate = image.upToDate;
        } finally {
          display.close();
        }
        if (!flags.quiet) io.stderr.write(upToDate ? `${familiarName(reference)} is up to date\n` : `pulled ${familiarName(reference)}\n`);
        io.stdout.write(`${name}\n`);
      }
      return 0;
    });
  },
);

function pulledName({ registry, repository }: Reference, digest: NonNullable<Reference["digest"]>): string {
  return familiarName({ registry, repository, digest });
}
