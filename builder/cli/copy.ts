import { nameSystemError } from "../../store/name-system-error.ts";
import { familiarName } from "../../store/reference.ts";
import { copyImage } from "../../store/registry/copy.ts";
import { openStore, type Store } from "../../store/store.ts";
import { loadSettings, type Settings } from "../config.ts";
import { parsePlatform } from "../plan/platform.ts";
import { rewriteNotes } from "../rewrite-note.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { readCopyPlace } from "./copy-place.ts";
import { keepStoreLimits } from "./keep-store-limits.ts";
import { explainingNames, placeHint } from "./name-hint.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { storeFlags, storeRootOf } from "./store-flag.ts";
import { showTransfers } from "./transfers.ts";
import { readPlatform } from "./values.ts";

export const copy = command(
  {
    name: "copy",
    operands: "SOURCE DESTINATION",
    summary:
      "Copy an image with all its platforms, byte for byte, between registries (NAME), the store (store:NAME, which gets this machine's platform alone unless --all-platforms is given), image layouts (oci:DIR[:NAME]), which get one image more, and archives (oci-archive:FILE[:NAME], or docker-archive:FILE[:NAME] for docker load, with one platform), which are replaced. NAME may begin with docker://. Prints the digest.",
    flags: {
      "all-platforms": { help: "Into the store too: all platforms instead of this machine's" },
      format: {
        value: "FORMAT",
        choices: ["oci", "docker"],
        help: "Convert manifests and their media types; into the store, one platform becomes an image of its own (they stay as they are)",
      },
      platform: { value: "OS/ARCH", help: "Only this platform" },
      quiet: { short: "q", help: "Show no progress" },
      referrers: { help: "From registry to registry: also the signatures, SBOMs and others that refer to the image" },
      ...registryFlags,
      ...storeFlags,
    },
    foreign: {
      all: { short: "a", note: "all platforms are copied, but into the store, where --all-platforms says so, and for docker load" },
      "dest-creds": { value: true, missing: "tsbuild login keeps credentials, and none are in the list of processes" },
      "dest-tls-verify": { value: true, off: "true", missing: "--tls-verify is for both sides; tsbuild.toml says it for one host" },
      "preserve-digests": { note: "digests are kept unless --format is given" },
      "src-creds": { value: true, missing: "tsbuild login keeps credentials, and none are in the list of processes" },
      "src-tls-verify": { value: true, off: "true", missing: "--tls-verify is for both sides; tsbuild.toml says it for one host" },
    },
    examples: [
      "tsbuild copy debian:12 registry.example/mirror/debian:12",
      "tsbuild copy store:app oci-archive:app.tar:app",
      "tsbuild copy --all-platforms oci-archive:app.tar:app store:app",
      "tsbuild copy debian:12 docker-archive:debian.tar:debian:12",
      "tsbuild copy oci:layout:v1 registry.example/app:v1",
    ],
  },
  { min: 2, max: 2 },
  async ({ flags, operands: [source = "", destination = ""] }, io) => {
    const settings = await loadSettings({ env: io.env });
    const { from, to } = await explainingNames([source, destination], placeHint, async () => ({
      from: readCopyPlace(source),
      to: readCopyPlace(destination),
    }));
    const platform = flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
    const { "all-platforms": allPlatforms, format, referrers } = flags;
    await using registry = await openRegistryFor(flags, io);
    await using store = lazyStore(flags, io, settings);
    const { digest } = await showTransfers(io, flags, async ({ onEvent, onNote }) => {
      const references = [from, to].flatMap((place) => (place.kind === "registry" ? [place.reference] : []));
      rewriteNotes(registry, references).forEach(onNote);
      const options = {
        from,
        to,
        platform,
        allPlatforms,
        format,
        referrers,
        registry,
        store: store.open,
        signal: io.signal,
        onEvent,
        onNote,
      };
      try {
        return await explainingNames([source, destination], placeHint, () => copyImage(options));
      } catch (error) {
        throw nameSystemError(error, store.root());
      }
    });
    if (!flags.quiet) io.stderr.write(`copied ${source} to ${destination}\n`);
    const name =
      to.kind === "registry" ? `${familiarName({ registry: to.reference.registry, repository: to.reference.repository, digest })}` : digest;
    io.stdout.write(`${name}\n`);
    return 0;
  },
);

interface LazyStore extends AsyncDisposable {
  open(): Promise<Store>;
  /** Undefined as long as it was not opened. */
  root(): string | undefined;
}

/** Opened when it is first used: a copy between registries needs none, and makes none. */
function lazyStore(flags: { readonly store?: string }, io: CliIo, settings: Settings): LazyStore {
  let opened: Promise<Store> | undefined;
  let root: string | undefined;
  const open = async () => {
    root = await storeRootOf(flags, io, settings);
    return openStore(root, settings);
  };
  return {
    open() {
      opened ??= open();
      return opened;
    },
    root: () => root,
    // Whoever wanted the store has heard why there is none.
    async [Symbol.asyncDispose]() {
      const store = await opened?.catch(() => undefined);
      if (store === undefined) return;
      await store.close();
      await keepStoreLimits(store.root, settings, io);
    },
  };
}
