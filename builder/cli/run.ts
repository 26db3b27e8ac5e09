import { readFileSync } from "node:fs";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { loadSettings } from "../config.ts";
import { transferDisplay } from "../progress/transfers.ts";
import type { RunOptions } from "../run-options.ts";
import { attached } from "./attached.ts";
import { command } from "./command.ts";
import { dnsFlags, readDns } from "./dns-flags.ts";
import { foreignRunFlags } from "./foreign-flags.ts";
import { limitFlags, readLimits } from "./limits.ts";
import { readMounts } from "./mount-flags.ts";
import { pullFlag, pullPolicy, registryFlags, registryOptions } from "./registry-flags.ts";
import { readSecurity, securityFlags } from "./security-flags.ts";
import { storeFlags, storeRootOf } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";
import { invalid, readHost, readInteger, readPairs, readPlatform, readPort, readSignal, readSize, readVolume } from "./values.ts";

const flags = {
  rm: { help: "Remove the container when it ends, which is done unless it is kept" },
  keep: { value: "NAME", help: "Keep what the command changes, under this name: for tsbuild ps, commit and rm" },
  interactive: { short: "i", help: "Let the command read standard input" },
  tty: { short: "t", help: "Give the command a terminal" },
  env: { short: "e", value: "KEY[=VALUE]", many: true, help: "Variable of the command; KEY alone takes it from the environment" },
  "env-file": { value: "FILE", many: true, help: "File of variables, one KEY=VALUE a line" },
  workdir: { short: "w", value: "DIR", help: "Working directory in the container" },
  user: { short: "u", value: "USER[:GROUP]", help: "User and group, by name or number" },
  entrypoint: { value: "COMMAND", help: "Replaces the image's ENTRYPOINT and CMD" },
  hostname: { short: "h", value: "NAME", help: "Host name in the container" },
  publish: {
    short: "p",
    value: "HOST:CONTAINER",
    many: true,
    help: "Port of the host that leads to one of the container: 8080:80",
  },
  network: {
    value: "MODE",
    choices: ["default", "isolated", "none", "host"],
    help: "Network of the container: its own where this machine can make one, else the host's (default); its own (isolated); the host's; or none",
  },
  userns: { value: "MODE", choices: ["auto", "host"], help: "Whether root too has the container in a user namespace (auto)" },
  "add-host": { value: "NAME:ADDRESS", many: true, help: "Another line of /etc/hosts" },
  volume: {
    short: "v",
    value: "HOST:CONTAINER",
    many: true,
    help: "File or directory of the host in the container; :ro at the end makes it read-only",
  },
  mount: {
    value: "OPTIONS",
    many: true,
    help: "The same by words, or memory: type=bind,source=DIR,target=PATH[,readonly], type=tmpfs,target=PATH[,tmpfs-size=SIZE]",
  },
  tmpfs: { value: "PATH[:OPTIONS]", many: true, help: "Empty directory in memory: /run:size=64m,mode=0755,uid=1000,exec" },
  "read-only": { help: "The command can write only to what is mounted" },
  "stop-signal": {
    value: "SIGNAL",
    help: "What the command gets when tsbuild gets SIGTERM (the image's STOPSIGNAL, else SIGTERM); other signals are passed on as they are",
  },
  "stop-timeout": { value: "SECONDS", help: "How long it then may take before it is killed; -1 is for ever (10)" },
  init: { help: "The command has an init process above it, which is always so" },
  "shm-size": { value: "SIZE", help: "Size of /dev/shm (64m)" },
  ...dnsFlags,
  ...limitFlags,
  ...securityFlags,
  "host-ca": { help: "The container sees the host's CA certificates" },
  pull: { value: "WHEN", choices: pullFlag.choices, help: "When to ask a registry for the image (missing)" },
  platform: { value: "OS/ARCH", help: "Which of the platforms of an image for several (this machine's)" },
  quiet: { short: "q", help: "Do not show how an image is pulled" },
  ...registryFlags,
  ...storeFlags,
} as const;

/** 126 and 127 as shells use them, 125 for whatever else kept the container from running. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TsbuildError)) return 125;
  return error.code === "COMMAND_NOT_FOUND" ? 127 : error.code === "COMMAND_NOT_EXECUTABLE" ? 126 : 125;
}

export const run = command(
  {
    name: "run",
    operands: "IMAGE [COMMAND…]",
    summary:
      "Run a command in a new container of an image. The exit code is the command's own, 128 + n when signal n ended it, 125 when the container could not be made, 126 when the command cannot be executed and 127 when there is no such command.",
    flags,
    foreign: foreignRunFlags,
    examples: ["tsbuild run --rm -p 8080:8080 app", "tsbuild run --rm -it -v ./src:/src:ro debian bash"],
    stopAtOperand: true,
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  async ({ flags, operands: [image = "", ...words] }, io) => {
    const settings = await loadSettings({ env: io.env });
    if (flags.tty && flags.interactive && io.stdin.isTTY !== true) {
      throw new UsageError("NOT_A_TERMINAL", "reading the command line: -t was given with -i, and standard input is not a terminal", {
        hint: "leave out -t",
      });
    }
    if (flags.workdir !== undefined && !flags.workdir.startsWith("/")) throw invalid("--workdir", flags.workdir, "is not an absolute path");
    const files = (flags["env-file"] ?? []).flatMap(readEnvFile);
    if (flags.keep !== undefined && flags.rm === true)
      throw invalid("--keep", flags.keep, "is to be kept, and --rm removes it", "leave out --rm");
    const mounts = readMounts(flags.mount ?? [], flags.tmpfs ?? []);
    const display = transferDisplay(io, { quiet: flags.quiet ?? false });
    const options: RunOptions = {
      store: await storeRootOf(flags, io, settings),
      image,
      command: words,
      ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint === "" ? [] : [flags.entrypoint] }),
      env: {
        ...readPairs("--env-file", files, (key) => io.env[key]),
        ...readPairs("--env", flags.env ?? [], (key) => io.env[key]),
      },
      ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.hostname === undefined ? {} : { hostname: flags.hostname }),
      ...(flags.keep === undefined ? {} : { keep: flags.keep }),
      interactive: flags.interactive ?? false,
      tty: flags.tty ?? false,
      network: flags.network ?? settings.network ?? "default",
      userns: flags.userns ?? settings.userns ?? "host",
      dns: readDns(flags),
      ports: (flags.publish ?? []).map((port) => readPort("--publish", port)),
      addHosts: (flags["add-host"] ?? []).map((host) => readHost("--add-host", host)),
      volumes: [...(flags.volume ?? []).map((volume) => readVolume("--volume", volume)), ...mounts.volumes],
      tmpfs: mounts.tmpfs,
      readOnly: flags["read-only"] ?? false,
      ...(flags["stop-signal"] === undefined ? {} : { stopSignal: readSignal("--stop-signal", flags["stop-signal"]) }),
      ...(flags["stop-timeout"] === undefined ? {} : { stopTimeoutSeconds: readInteger("--stop-timeout", flags["stop-timeout"], -1) }),
      limits: readLimits(flags),
      security: readSecurity(flags, settings.seccomp),
      ...(flags["shm-size"] === undefined ? {} : { shmSizeBytes: readSize("--shm-size", flags["shm-size"]) }),
      hostCa: flags["host-ca"] ?? settings.hostCa ?? false,
      pull: pullPolicy(flags.pull),
      ...(flags.platform === undefined ? {} : { platform: readPlatform("--platform", flags.platform) }),
      registry: await registryOptions(flags, io, settings),
      onTransfer: display.onEvent,
      onNote: display.onNote,
      // From then on the terminal is the command's.
      ...attached(io, () => display.close()),
    };
    const { runContainer } = await import("../run-container.ts");
    try {
      return await runContainer(options);
    } finally {
      display.close();
    }
  },
  { exitCodeOf },
);

/** Lines of an env file as `--env` words; "#" begins a comment, quotes are not special (as in Docker). */
function readEnvFile(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError("ENV_FILE", `reading --env-file ${path}: ${(cause as Error).message}`, { cause });
  }
  return text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
