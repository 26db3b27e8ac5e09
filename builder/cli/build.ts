import { loadSettings, type Settings } from "../config.ts";
import type { BuildOptions } from "../options.ts";
import { epochName } from "../plan/predefined-args.ts";
import { type DisplayIo, openDisplay } from "../progress/display.ts";
import { progressModes } from "../progress/mode.ts";
import { readInputs } from "./build-inputs.ts";
import { refuseUnwritableResults, resultFlags, writeResults } from "./build-results.ts";
import { callFlags, readCall } from "./call-flags.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { dnsFlags, readDns } from "./dns-flags.ts";
import { dryRunFlags, formatDryRun } from "./dry-run-output.ts";
import { printExplanations } from "./explain-output.ts";
import type { FlagValues } from "./flags.ts";
import { foreignBuildFlags } from "./foreign-flags.ts";
import { keepStoreLimits } from "./keep-store-limits.ts";
import { limitFlags, readLimits } from "./limits.ts";
import { lockFlags, lockOptionsOf, noteUnwritten } from "./lock-flags.ts";
import { networkFlag } from "./network-flag.ts";
import { readOutputs } from "./outputs.ts";
import { levelsOf, readPlacedAnnotations, withoutLevels } from "./placed-annotations.ts";
import { pullFlag, pullPolicy, registryFlags, registryOptions } from "./registry-flags.ts";
import { runCall } from "./run-call.ts";
import { readSecrets, secretFlags } from "./secret-flags.ts";
import { readSecurity, securityFlags } from "./security-flags.ts";
import { storeFlags, storeRootOf } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";
import { readAnnotations, readEpochOrWord, readHost, readInteger, readPairs, readPlatforms, readSize, readTag } from "./values.ts";

/** Of the build, and of what builds again. */
export const buildFlags = {
  tag: { short: "t", value: "NAME", many: true, help: "Name of the image; TARGET=NAME where there are several targets" },
  file: {
    short: "f",
    value: "FILE",
    blank: true,
    help: "The Dockerfile, relative to the current directory; for a context that is no local directory, relative to the context; - is standard input (Dockerfile, dockerfile or Containerfile in PATH)",
  },
  target: { value: "STAGE", many: true, blank: true, help: "A stage to build; * stands for all (the last one)" },
  "build-arg": { value: "KEY[=VALUE]", many: true, help: "Value of an ARG; KEY alone takes it from the environment" },
  "build-context": {
    value: "NAME=VALUE",
    many: true,
    help: "What a name in FROM, --from and mounts means: a directory, a git or https URL, docker-image://NAME, oci-layout://DIR, target:STAGE",
  },
  label: { value: "KEY=VALUE", many: true, help: "Label of the image" },
  platform: {
    value: "OS/ARCH",
    many: true,
    blank: true,
    help: "Platform to build for; of several, separated by commas, the image is an index with one image each (this machine's; the image is labelled as its base is)",
  },
  "no-cache": { help: "Run all steps again" },
  "no-cache-filter": { value: "STAGES", many: true, help: "Run the steps of these stages again, separated by commas" },
  pull: {
    ...pullFlag,
    help: "When to ask a registry for base images and COPY --from; alone: always (missing)",
  },
  output: {
    short: "o",
    value: "TYPE",
    many: true,
    help: "Where the image goes: DIR, - (a tar), or type=image|registry|oci|docker|tar|local|cacheonly with dest= and others (type=image)",
  },
  push: { help: "The same as --output=type=registry" },
  load: { help: "The same as --output=type=image" },
  annotation: {
    value: "[LEVEL:]KEY=VALUE",
    many: true,
    help: "Annotation of the image's manifest, of each platform's where there are several; there LEVEL may be manifest, index or manifest-descriptor (what the index says of the manifest), with manifest[linux/amd64] of one platform",
  },
  squash: { help: "Merge the layers of this build into one" },
  "squash-all": { help: "Merge all layers into one, those of the base image too" },
  network: { ...networkFlag, blank: true, help: "Network of RUN steps" },
  userns: { value: "MODE", choices: ["auto", "host"], help: "Whether root too runs steps in a user namespace (host)" },
  "add-host": { value: "NAME:ADDRESS", many: true, help: "Another line of /etc/hosts in RUN steps" },
  "shm-size": { value: "SIZE", help: "Size of /dev/shm in RUN steps (64m)" },
  ...dnsFlags,
  ...limitFlags,
  ...securityFlags,
  allow: {
    value: "ENTITLEMENT",
    many: true,
    choices: ["security.insecure", "network.host"],
    help: "What the Dockerfile may ask for: RUN --security=insecure, RUN --network=host",
  },
  resource: { value: "LIMIT=VALUE", many: true, help: "Limit of RUN steps by the name of its flag: memory=1g, cpus=2, pids=500" },
  "host-ca": { help: "RUN steps see the host's CA certificates" },
  "source-date-epoch": {
    value: "TIME",
    help: "Nothing that the build makes is later: seconds, git (the last commit's), context, or the name of a context or stage ($SOURCE_DATE_EPOCH)",
  },
  ...secretFlags,
  ...resultFlags,
  "keep-failed": { help: "Keep what a failed RUN step left, for tsbuild shell; --keep-failed=false does not (true)" },
  jobs: { value: "N", help: "How many steps at once (the number of processors)" },
  quiet: { short: "q", help: "Print the image id, and on standard error only what changes the result or the isolation of steps" },
  progress: { value: "MODE", choices: progressModes, help: "How to show the build (auto)" },
  ...lockFlags,
  ...dryRunFlags,
  ...callFlags,
  ...registryFlags,
  ...storeFlags,
} as const;

export type BuildFlags = FlagValues<typeof buildFlags>;

const proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);

export const build = command(
  {
    name: "build",
    operands: "PATH | URL | -",
    summary:
      "Build an image from a Dockerfile and the files in PATH, in a git repository or in a tar; - is a tar or a Dockerfile on standard input.",
    flags: buildFlags,
    foreign: foreignBuildFlags,
    examples: [
      "tsbuild -t app .",
      "tsbuild -t app:v1 -f docker/Dockerfile --build-arg VERSION=1 --target server .",
      "tsbuild -t app - < Dockerfile",
      "tsbuild -t app https://git.example/team/app.git#v1:docker",
      "tsbuild --target server --target worker -t server=app -t worker=app-worker .",
      "tsbuild -t registry.example/team/app:v1 --push .",
      "tsbuild --platform linux/amd64,linux/arm64 -t app .",
      "tsbuild -o type=docker,dest=- -t app . | docker load",
      "tsbuild --target dist -o dist .",
      "tsbuild --lock Dockerfile.lock -t app .",
      "tsbuild --locked --dry-run .",
    ],
  },
  { min: 0, max: 1 },
  async ({ flags, operands, argv }, io) => {
    const call = readCall(flags, operands);
    if (call.explain !== undefined) {
      printExplanations(call.explain, call.format, io);
      return 0;
    }
    const [context] = operands;
    if (context === undefined)
      throw new UsageError("WRONG_OPERANDS", "reading the command line: build needs PATH | URL | -, got nothing", {
        hint: "name the directory that COPY reads from: tsbuild build . takes the current one; all flags: tsbuild build --help",
      });
    const { outputs, names, takesStdout } = readOutputs(flags, io);
    const tags = [...(flags.tag ?? []), ...names];
    for (const tag of tags) readTag(tag.slice(tag.indexOf("=") + 1));
    refuseUnwritableResults(flags);
    const { options: given, settings } = await readBuild({ flags, context, argv }, io);
    const isDry = flags["dry-run"] === true;
    const display = openDisplay(
      flags.quiet ? "quiet" : (flags.progress ?? settings.progress ?? "auto"),
      takesStdout ? withoutStdout(io) : io,
    );
    try {
      const options: BuildOptions = { ...given, tags, outputs, onEvent: display.onEvent };
      if (isDry || call.method !== "build") noteUnwritten(options);
      if (call.method !== "build") return await runCall({ ...call, method: call.method }, options, io);
      const builder = await import("../builds.ts");
      if (isDry) io.stdout.write(formatDryRun(await builder.dryRun(options), call.format));
      else writeResults(flags, await builder.build(options));
    } finally {
      display.close();
      if (!isDry && call.method === "build") await keepStoreLimits(given.store, settings, io);
    }
    return 0;
  },
);

/** What the flags and the settings say of what is built and how, but not where it goes. Throws UsageError, and as readInputs and loadSettings. */
export async function readBuild(
  { flags, context, argv }: { readonly flags: BuildFlags; readonly context: string; readonly argv: readonly string[] },
  io: CliIo,
): Promise<{ readonly options: BuildOptions; readonly settings: Settings }> {
  const platform = readPlatforms("--platform", flags.platform ?? []);
  const annotations = annotationsOf(flags.annotation ?? [], platform.length > 1);
  const buildArgs = buildArgsOf(flags, io);
  const epoch = epochOf(flags);
  const limits = readLimits(flags, flags.resource);
  const inputs = await readInputs({ context, file: flags.file, contexts: flags["build-context"] ?? [], argv }, io);
  const settings = await loadSettings({ env: io.env, ...(inputs.context.kind === "directory" ? { context: inputs.context.path } : {}) });
  const network = flags.network ?? settings.network ?? "default";
  const jobs = flags.jobs === undefined ? settings.jobs : readInteger("--jobs", flags.jobs, 1);
  const options: BuildOptions = {
    ...inputs,
    ...annotations,
    ...squashOf(flags),
    pull: pullPolicy(flags.pull),
    registry: await registryOptions(flags, io, settings),
    ...(flags.target === undefined ? {} : { target: flags.target }),
    buildArgs,
    labels: readPairs("--label", flags.label ?? [], () => ""),
    ...(platform.length === 0 ? {} : { platform }),
    noCache: flags["no-cache"] ?? false,
    noCacheFilter: (flags["no-cache-filter"] ?? []).flatMap((stages) => stages.split(",")).filter((stage) => stage !== ""),
    network,
    userns: flags.userns ?? settings.userns ?? "host",
    dns: readDns(flags),
    addHosts: (flags["add-host"] ?? []).map((host) => readHost("--add-host", host)),
    limits,
    security: readSecurity(flags, settings.seccomp),
    allow: flags.allow ?? [],
    ...(flags["shm-size"] === undefined ? {} : { shmSizeBytes: readSize("--shm-size", flags["shm-size"]) }),
    ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
    ...readSecrets(flags, io),
    hostCa: flags["host-ca"] ?? settings.hostCa ?? false,
    keepFailed: flags["keep-failed"] ?? settings.keepFailed ?? true,
    ...(jobs === undefined ? {} : { jobs }),
    store: await storeRootOf(flags, io, settings),
    ...(settings.unpackLimits === undefined ? {} : { unpackLimits: settings.unpackLimits }),
    ...lockOptionsOf(flags, inputs),
    signal: io.signal,
    environment: io.env,
    proxy: proxyOf(io.env),
  };
  return { options, settings };
}

function squashOf(flags: BuildFlags): Pick<BuildOptions, "squash"> {
  if (flags["squash-all"]) return { squash: "all" };
  return flags.squash ? { squash: "build" } : {};
}

/** For what is printed while an archive goes to standard output. */
function withoutStdout(io: CliIo): DisplayIo {
  return { env: io.env, stdout: io.stderr, stderr: io.stderr };
}

/** An image for one platform has a manifest and no index, as in buildx. */
function annotationsOf(words: readonly string[], isIndex: boolean): Pick<BuildOptions, "annotations" | "placedAnnotations"> {
  if (isIndex) return { placedAnnotations: readPlacedAnnotations(words) };
  for (const word of words) {
    const other = levelsOf(word).find(({ level }) => level !== "manifest");
    if (other === undefined) continue;
    throw new UsageError(
      "UNSUPPORTED_VALUE",
      `reading --annotation: "${word}": annotations at the level ${other.level} are not supported`,
      {
        hint: "leave the level out: the manifest is annotated; an image for several platforms (--platform) has an index",
      },
    );
  }
  return { annotations: readAnnotations(words.map(withoutLevels)) };
}

function epochOf({ "source-date-epoch": text }: BuildFlags): number | string | undefined {
  return text === undefined ? undefined : readEpochOrWord("--source-date-epoch", text);
}

/** As given, and $SOURCE_DATE_EPOCH as if it were. */
function buildArgsOf(flags: BuildFlags, io: CliIo): Record<string, string> {
  const given = readPairs("--build-arg", flags["build-arg"] ?? [], (key) => io.env[key]);
  const { [epochName]: argument } = given;
  const variable = io.env[epochName];
  if (argument) readEpochOrWord(`--build-arg ${epochName}`, argument);
  if (argument !== undefined || !variable) return given;
  readEpochOrWord(`$${epochName}`, variable);
  return { ...given, [epochName]: variable };
}

function proxyOf(env: CliIo["env"]): Record<string, string> {
  const found = proxyNames.map((name) => [name, env[name] ?? ""] as const).filter(([, value]) => value !== "");
  return Object.fromEntries(found);
}
