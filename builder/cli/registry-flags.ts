import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { CredentialSource } from "../../store/registry/credential.ts";
import type { Registry, RegistryOptions } from "../../store/registry/registry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../store/registry/settings.ts";
import type { Settings } from "../config.ts";
import type { PullPolicy } from "../options.ts";
import { version } from "../version.ts";
import type { CliIo } from "./cli-io.ts";
import { credentialPlaces } from "./credential-places.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { note } from "./note.ts";
import { UsageError } from "./usage-error.ts";
import { readInteger } from "./values.ts";

/** On every command that speaks to registries. */
export const registryFlags = {
  authfile: { value: "FILE", named: true, help: "Look for credentials in this file first, then where docker and podman keep them" },
  "tls-verify": {
    value: "true|false",
    choices: ["true", "false"],
    implied: "true",
    help: "Check certificates; false allows plain http too (true)",
  },
  retry: { value: "N", help: "How often a request that failed for a passing reason is repeated (5)" },
} as const satisfies FlagTable;

/** When registries are asked; alone it means always, as in docker build. Each command adds its help. */
export const pullFlag = {
  value: "WHEN",
  choices: ["missing", "never", "always", "newer", "true", "false"],
  implied: "always",
} as const;

export function pullPolicy(when: (typeof pullFlag.choices)[number] | undefined): PullPolicy {
  return when === "true" ? "always" : when === undefined || when === "false" ? "missing" : when;
}

export type RegistryFlags = FlagValues<typeof registryFlags>;

/** What the flags, the settings and the environment say about registries. */
export async function registryOptions(flags: RegistryFlags, io: CliIo, settings?: Settings): Promise<RegistryOptions> {
  const { registry: configured = {} } = settings ?? (await readSettings(io));
  const home = io.env.HOME || homedir();
  if (flags.authfile !== undefined && !existsSync(flags.authfile))
    throw new UsageError("INVALID_VALUE", `reading --authfile: there is no file "${flags.authfile}"`, {
      hint: "tsbuild login --authfile FILE makes one",
    });
  const attempts = flags.retry === undefined ? undefined : readInteger("--retry", flags.retry, 0) + 1;
  return {
    settings: {
      ...defaultRegistrySettings,
      certificateDirectories: certificateDirectories(io.env, home),
      ...configured,
      ...(attempts === undefined ? {} : { attempts }),
      ...(flags["tls-verify"] === undefined ? {} : overriding(configured.hosts ?? {}, flags["tls-verify"] === "false")),
    },
    credentials: lazyCredentials(flags, io),
    proxy: io.env,
    userAgent: `tsbuild/${version}`,
  };
}

/** All registries, for as long as the command takes. */
export async function openRegistryFor(flags: RegistryFlags, io: CliIo, settings?: Settings): Promise<Registry> {
  const { openRegistry } = await import("../../store/registry/registry.ts");
  return openRegistry({ ...(await registryOptions(flags, io, settings)), onRetry: (message) => note(io, message) });
}

/** What the flag says holds for all hosts, whatever the settings say of one. */
function overriding(hosts: RegistrySettings["hosts"], insecure: boolean): Pick<RegistrySettings, "hosts" | "insecure"> {
  const without = Object.entries(hosts).map(([host, { insecure: _, ...others }]) => [host, others] as const);
  return { hosts: Object.fromEntries(without), insecure };
}

/** Looked for when a registry asks who we are: most commands never get there. */
function lazyCredentials(flags: RegistryFlags, io: CliIo): CredentialSource {
  let source: Promise<CredentialSource> | undefined;
  const open = async () => (await import("../../store/registry/docker-config.ts")).dockerCredentials(credentialPlaces(flags, io));
  const opened = (): Promise<CredentialSource> => {
    source ??= open();
    return source;
  };
  return {
    find: async (...asked) => (await opened()).find(...asked),
    placeOf: async (...asked) => (await opened()).placeOf?.(...asked),
  };
}

/** As Docker and podman have them, the user's own first. */
function certificateDirectories(env: CliIo["env"], home: string): readonly string[] {
  return [
    join(env.DOCKER_CONFIG || join(home, ".docker"), "certs.d"),
    join(env.XDG_CONFIG_HOME || join(home, ".config"), "containers", "certs.d"),
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ];
}

async function readSettings(io: CliIo): Promise<Settings> {
  const { loadSettings } = await import("../config.ts");
  return loadSettings({ env: io.env });
}
