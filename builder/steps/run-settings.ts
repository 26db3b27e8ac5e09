import type { Digest } from "../../store/digest.ts";
import type { DnsSettings, ResourceLimits, SecurityOptions, SshSource } from "../options.ts";
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
  /** Which build a failed step is kept for. Absent: it is not kept. */
  readonly keepFailed?: Digest;
  /** Says what this machine cannot do and a step does without. */
  readonly onNote: (message: string) => void;
}
