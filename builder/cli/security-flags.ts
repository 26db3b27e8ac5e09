import { readFileSync } from "node:fs";
import { parseSeccompProfile, RLIMIT_NAMES, type Rlimit, type RlimitName, type SeccompProfile } from "../../runtime-addon/index.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { SecurityOptions } from "../options.ts";
import { sandboxSecurity } from "../sandbox/security.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";
import { invalid } from "./values.ts";

/** The flags about what commands may do, the same for RUN steps and containers. */
export const securityFlags = {
  "cap-add": { value: "CAPABILITY", many: true, help: "Another capability of the command, as NET_ADMIN; ALL is all of them" },
  "cap-drop": { value: "CAPABILITY", many: true, help: "A capability that the command has not; ALL is all of them" },
  "security-opt": {
    value: "OPTION",
    many: true,
    help: "One of seccomp=FILE (a profile in Docker's form), seccomp=unconfined, no-new-privileges, systempaths=unconfined",
  },
  ulimit: { value: "NAME=SOFT[:HARD]", many: true, help: "Limit of each process, as nofile=1024:4096; -1 is unlimited" },
} as const satisfies FlagTable;

/** What the flags say; `seccomp` is the setting that counts where no flag says it. Throws UsageError. */
export function readSecurity(flags: FlagValues<typeof securityFlags>, seccomp?: string): SecurityOptions {
  const names = (words: readonly string[] = []): readonly string[] =>
    words.flatMap((word) => word.split(",")).filter((name) => name !== "");
  const rlimits = Object.fromEntries((flags.ulimit ?? []).map(readUlimit));
  const options: SecurityOptions = {
    ...(flags["cap-add"] === undefined ? {} : { capAdd: names(flags["cap-add"]) }),
    ...(flags["cap-drop"] === undefined ? {} : { capDrop: names(flags["cap-drop"]) }),
    ...(seccomp === undefined ? {} : seccompOption(seccomp)),
    ...Object.assign({}, ...(flags["security-opt"] ?? []).map(readSecurityOption)),
    ...(Object.keys(rlimits).length === 0 ? {} : { rlimits }),
  };
  // A misspelt capability is to be found before anything is read.
  sandboxSecurity(options);
  return options;
}

/** "name=value" or, as Docker once had it, "name:value". */
function readSecurityOption(word: string): SecurityOptions {
  const [, name = word, value] = /^([^=:]+)[=:](.*)$/s.exec(word) ?? [];
  if (name === "seccomp" && value) return seccompOption(value);
  if (name === "no-new-privileges" && (value === undefined || value === "true")) return { noNewPrivileges: true };
  if (name === "no-new-privileges" && value === "false") return { noNewPrivileges: false };
  if (name === "systempaths" && value === "unconfined") return { systemPaths: "unconfined" };
  // Neither is used here.
  if ((name === "apparmor" && value === "unconfined") || (name === "label" && value === "disable")) return {};
  throw invalid(
    "--security-opt",
    word,
    "is not known here",
    "write seccomp=FILE, seccomp=unconfined, no-new-privileges or systempaths=unconfined",
  );
}

function seccompOption(value: string): { readonly seccomp?: SeccompProfile | "unconfined" } {
  if (value === "unconfined") return { seccomp: value };
  // Docker's name for its own, which ours is like.
  if (value === "builtin") return {};
  try {
    return { seccomp: parseSeccompProfile(readFileSync(value, "utf8"), value) };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new UsageError("SECCOMP_PROFILE", code === "SECCOMP_PROFILE" ? message : `reading the seccomp profile ${value}: ${message}`, {
      cause,
    });
  }
}

function readUlimit(word: string): readonly [RlimitName, Rlimit] {
  const [, text = "", softText = "", hardText = softText] = /^([^=]+)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(word) ?? [];
  if (text === "") throw invalid("--ulimit", word, "is not NAME=SOFT[:HARD]", "write it as nofile=1024:4096");
  const name = RLIMIT_NAMES.find((one) => one === text);
  if (name === undefined) {
    const near = nearest(text, RLIMIT_NAMES);
    throw invalid("--ulimit", word, "names no limit", near === undefined ? `limits: ${RLIMIT_NAMES.join(", ")}` : `did you mean ${near}?`);
  }
  const soft = limitOf(softText);
  const hard = limitOf(hardText);
  if (hard !== "unlimited" && (soft === "unlimited" || soft > hard)) throw invalid("--ulimit", word, "has a soft limit above the hard one");
  return [name, { soft, hard }];
}

function limitOf(text: string): number | "unlimited" {
  return text === "-1" ? "unlimited" : Number(text);
}
