/** setrlimit(2); a hard limit that is absent stays as it is, and holds the soft one down. */
export interface Rlimit {
  readonly soft: number | "unlimited";
  readonly hard?: number | "unlimited";
}

export type RlimitName = (typeof RLIMIT_NAMES)[number];

/** In the order of their numbers (asm-generic/resource.h). */
export const RLIMIT_NAMES = [
  ...(["cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile"] as const),
  ...(["memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"] as const),
] as const;
