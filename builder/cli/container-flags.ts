import { readFileSync } from "node:fs";
import type { RunOptions } from "../run-options.ts";
import type { Settings } from "../settings.ts";
import type { CliIo } from "./cli-io.ts";
import { dnsFlags, readDns } from "./dns-flags.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { limitFlags, readLimits } from "./limits.ts";
import { readMounts } from "./mount-flags.ts";
import { pullFlag, pullPolicy, registryFlags, registryOptions } from "./registry-flags.ts";
import { readSecurity, securityFlags } from "./security-flags.ts";
import { storeFlags, storeRootOf } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";
import { invalid, readHost, readHostname, readPairs, readPlatform, readSize, readVolume } from "./values.ts";

/** The flags about a container of an image, the same whoever runs it. */
export const containerFlags = {
  env: { short: "e", value: "KEY[=VALUE]", many: true, help: "Variable of the command; KEY alone takes it from the environment" },
  "env-file": { value: "FILE", many: true, help: "File of variables, one KEY=VALUE a line" },
  workdir: { short: "w", value: "DIR", help: "Working directory in the container" },
  user: { short: "u", value: "USER[:GROUP]", help: "User and group, by name or number" },
  entrypoint: { value: "COMMAND", help: "Replaces the image's ENTRYPOINT and CMD" },
  hostname: { short: "h", value: "NAME", blank: true, help: "Host name in the container" },
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
  "shm-size": { value: "SIZE", help: "Size of /dev/shm (64m)" },
  ...dnsFlags,
  ...limitFlags,
  ...securityFlags,
  pull: { value: "WHEN", choices: pullFlag.choices, help: "When to ask a registry for the image (missing)" },
  platform: { value: "OS/ARCH", help: "Which of the platforms of an image for several (this machine's)" },
  quiet: { short: "q", help: "Do not show how an image is pulled" },
  ...registryFlags,
  ...storeFlags,
} as const satisfies FlagTable;

/** What the flags say of the container; `words` are the command's. */
export async function readContainer(
  flags: FlagValues<typeof containerFlags>,
  [image = "", ...words]: readonly string[],
  io: CliIo,
  settings: Settings,
) {
  if (flags.workdir !== undefined && !flags.workdir.startsWith("/")) throw invalid("--workdir", flags.workdir, "is not an absolute path");
  const files = (flags["env-file"] ?? []).flatMap(readEnvFile);
  const mounts = readMounts(flags.mount ?? [], flags.tmpfs ?? []);
  return {
    store: await storeRootOf(flags, io, settings),
    ...(settings.unpackLimits === undefined ? {} : { unpackLimits: settings.unpackLimits }),
    image,
    command: words,
    ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint === "" ? [] : [flags.entrypoint] }),
    env: {
      ...readPairs("--env-file", files, (key) => io.env[key]),
      ...readPairs("--env", flags.env ?? [], (key) => io.env[key]),
    },
    ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.hostname === undefined ? {} : { hostname: readHostname("--hostname", flags.hostname) }),
    dns: readDns(flags),
    addHosts: (flags["add-host"] ?? []).map((host) => readHost("--add-host", host)),
    volumes: [...(flags.volume ?? []).map((volume) => readVolume("--volume", volume)), ...mounts.volumes],
    tmpfs: mounts.tmpfs,
    readOnly: flags["read-only"] ?? false,
    limits: readLimits(flags),
    security: readSecurity(flags, settings.seccomp),
    ...(flags["shm-size"] === undefined ? {} : { shmSizeBytes: readSize("--shm-size", flags["shm-size"]) }),
    pull: pullPolicy(flags.pull),
    ...(flags.platform === undefined ? {} : { platform: readPlatform("--platform", flags.platform) }),
    registry: await registryOptions(flags, io, settings),
  } as const satisfies RunOptions;
}

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
