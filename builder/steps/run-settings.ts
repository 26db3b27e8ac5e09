import type { DnsSettings, ResourceLimits, SecurityOptions, SshSource } from "../options.ts";
import type { NoteSink } from "../progress/event.ts";
import type { FailedStepKeeper } from "../sandbox/failed-step-keeper.ts";
import type { Host } from "../sandbox/host.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { CacheMounts } from "./cache-mounts.ts";

/** What RUN steps of one build have in common. */
export interface RunSettings {
  readonly host: Host;
  readonly caches: CacheMounts;
  readonly secrets: Secrets;
  readonly ssh: Readonly<Record<string, SshSource>>;
  readonly limits: ResourceLimits;
  readonly addHosts: readonly string[];
  /** What the default network is: one of its own where that can be had, or nothing else. */
  readonly defaultNetwork: "default" | "isolated";
  readonly dns: DnsSettings;
  /** Proxy variables of the caller: given to the command, not part of the key. */
  readonly proxy: Readonly<Record<string, string>>;
  readonly hostCa: boolean;
  readonly shmSizeBytes?: number;
  /** Absent: Docker's defaults. */
  readonly security?: SecurityOptions;
  /** Absent: no failed step is kept. */
  readonly keepFailed?: FailedStepKeeper;
  /** Says what this machine cannot do and a step does without. */
  readonly onNote: NoteSink;
}
