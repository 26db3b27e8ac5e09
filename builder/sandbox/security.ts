import { CAPABILITIES, capabilityName, DEFAULT_CAPABILITIES, type SandboxProcess, type SandboxSpec } from "../../runtime-addon/index.ts";
import { canonicalJson } from "../../store/canonical-json.ts";
import { digestOf } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { SecurityOptions } from "../options.ts";
import type { KeyNode } from "../plan/key.ts";

/** What a sandbox's spec says of what the command may do. */
export interface SandboxSecurity {
  readonly spec: Pick<SandboxSpec, "privileged" | "openSystemPaths">;
  readonly process: Pick<SandboxProcess, "capabilities" | "seccomp" | "noNewPrivileges" | "rlimits">;
}

// The devices of BuildKit's insecure mode (executor/oci, "WithInsecureSpec"), with the numbers of Documentation/admin-guide/devices.txt.
const insecureDevices = [
  ...(
    [
      ["kmsg", 1, 11],
      ["cuse", 10, 203],
      ["fuse", 10, 229],
      ["kvm", 10, 232],
      ["net/tun", 10, 200],
      ["loop-control", 10, 237],
    ] as const
  ).map(([name, major, minor]) => ({ name, kind: "character", major, minor }) as const),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((minor) => ({ name: `loop${minor}`, kind: "block", major: 7, minor }) as const),
];

/** Throws INVALID_VALUE for a capability that there is none of. */
export function sandboxSecurity(
  { capAdd, capDrop, seccomp, noNewPrivileges, systemPaths, rlimits }: SecurityOptions,
  mode: "sandbox" | "insecure" = "sandbox",
): SandboxSecurity {
  const limits = rlimits === undefined ? {} : { rlimits };
  if (mode === "insecure") {
    return {
      spec: { privileged: { devices: insecureDevices } },
      process: { ...limits, capabilities: CAPABILITIES, seccomp: "unconfined" },
    };
  }
  return {
    spec: systemPaths === "unconfined" ? { openSystemPaths: true } : {},
    process: {
      ...limits,
      capabilities: capabilitiesOf(capAdd, capDrop),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(noNewPrivileges ? { noNewPrivileges } : {}),
    },
  };
}

/** As a step's key has it; undefined where nothing differs from the defaults. Limits are not part of it. */
export function securityKey({ capAdd, capDrop, seccomp, noNewPrivileges, systemPaths }: SecurityOptions): KeyNode | undefined {
  const capabilities = [...capabilitiesOf(capAdd, capDrop)].sort();
  const isUsual = capabilities.join() === [...DEFAULT_CAPABILITIES].sort().join();
  const key = {
    ...(isUsual ? {} : { capabilities }),
    ...(seccomp === undefined ? {} : { seccomp: seccomp === "unconfined" ? seccomp : digestOf(canonicalJson(seccomp)) }),
    ...(noNewPrivileges ? { noNewPrivileges } : {}),
    ...(systemPaths === undefined ? {} : { systemPaths }),
  };
  return Object.keys(key).length === 0 ? undefined : key;
}

/** As Docker has it: what is added wins over what is dropped, but for "all" of it. */
function capabilitiesOf(add: readonly string[] = [], drop: readonly string[] = []): readonly string[] {
  const added = add.map(known);
  const dropped = drop.map(known);
  if (added.includes(all)) return CAPABILITIES.filter((name) => !dropped.includes(name));
  const kept = dropped.includes(all) ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...added])];
}

const all = "ALL";

function known(text: string): string {
  const name = capabilityName(text);
  if (name === all || CAPABILITIES.includes(name)) return name;
  const near = nearest(name, [...CAPABILITIES, all]);
  throw new TsbuildError("INVALID_VALUE", `reading the capabilities: there is no capability ${JSON.stringify(text.slice(0, 80))}`, {
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}
