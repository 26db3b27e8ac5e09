import { applicableRules } from "./applicable-rules.ts";
import { openWays } from "./compile.ts";
import { type Machine, PROCESSORS } from "./machine.ts";
import type { SeccompArgument, SeccompProfile, SeccompRule } from "./profile.ts";

/** `linux.seccomp` of an OCI runtime bundle (runtime-spec, config-linux.md, "Seccomp"). */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly Pick<SeccompRule, "names" | "action" | "errnoRet" | "args">[];
}

/** A profile as a runtime takes it, which knows no conditions on the sandbox: they are decided for a machine and a bounding set of capabilities (names without CAP_). */
export function ociSeccomp(profile: SeccompProfile, machine: Machine, capabilities: readonly string[]): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: openWays(profile, PROCESSORS[machine.architecture]).map(({ name }) => name),
    ...(flags === undefined ? {} : { flags }),
    syscalls: applicableRules(profile, machine, capabilities).flatMap(({ names, action, errnoRet, args }) =>
      alternatives(args ?? []).map((conditions) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(conditions.length === 0 ? {} : { args: conditions }),
      })),
    ),
  };
}

/** Several comparisons of one argument make all comparisons alternatives; not every runtime takes them in one rule. */
function alternatives(args: readonly SeccompArgument[]): readonly (readonly SeccompArgument[])[] {
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? args.map((argument) => [argument]) : [args];
}
