/** How one registry host is spoken to. Names of hosts are as in references: "docker.io", "host:5000". */
export interface HostSettings {
  /** Asked in this order before the host itself: "mirror.example", "host:5000/prefix", with "http://" in front for plain http. */
  readonly mirrors?: readonly string[];
  /** Plain http is allowed where https does not answer as such, and certificates are not checked. Not for a token server on another machine. Absent: false, but for loopback's plain http. */
  readonly insecure?: boolean;
  /** Paths of PEM files: authorities trusted besides the system's; the client's own certificate and key. */
  readonly ca?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
}

/** A beginning of names ("host/path") that is read as another one. The longest match counts, at component borders. */
export interface RewriteRule {
  readonly from: string;
  readonly to: string;
}

/** Everything that registries depend on besides credentials; all of it has a default. */
export interface RegistrySettings {
  readonly hosts: Readonly<Record<string, HostSettings>>;
  /** Of hosts that say nothing about it themselves. */
  readonly insecure: boolean;
  readonly rewrites: readonly RewriteRule[];
  /** Blobs moved at once with one server, be it registry or mirror, in one direction: as many may come as go. */
  readonly parallel: number;
  /** Tries of one request, the first included; what a try moved forward starts the count anew. */
  readonly attempts: number;
  /** No try begins later than this after the first failure since something moved, milliseconds. */
  readonly deadlineMs: number;
  /** Until a connection stands, TLS included. */
  readonly connectTimeoutMs: number;
  /** How long the beginning of an answer is waited for, then 64 KiB of it or its rest: what is slower failed. */
  readonly stallTimeoutMs: number;
  /** Largest layer that is fetched, bytes as sent. */
  readonly maxLayerBytes: number;
  /** Largest file that is downloaded by its URL, and largest checkout of a git repository with its submodules. */
  readonly maxDownloadBytes: number;
  /** Directories with a folder for each host as in Docker's certs.d: *.crt, *.cert with *.key. */
  readonly certificateDirectories: readonly string[];
}

export const defaultRegistrySettings: RegistrySettings = {
  hosts: {},
  insecure: false,
  rewrites: [],
  // What Docker Hub and GHCR serve one client without throttling, and enough to fill a line.
  parallel: 4,
  attempts: 6,
  deadlineMs: 300_000,
  connectTimeoutMs: 15_000,
  stallTimeoutMs: 60_000,
  maxLayerBytes: 64 * 2 ** 30,
  maxDownloadBytes: 16 * 2 ** 30,
  certificateDirectories: [],
};
