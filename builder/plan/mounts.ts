import { posix } from "node:path";
import { maxNameBytes, maxPathBytes } from "../../store/layer/entry-path.ts";
import type { MountFlag, Run } from "../dockerfile/instruction.ts";
import { invalid, type MountSpec, mountSpec } from "../dockerfile/mount.ts";
import { coveredBySandbox } from "../mount-target.ts";
import type { FileOrigin, RunMount } from "./operation.ts";
import { scratch } from "./origins.ts";
import { cleanSource, climbing } from "./paths.ts";

export interface MountContext {
  /** One for each mount: what its from means. */
  readonly origins: readonly (FileOrigin | undefined)[];
  readonly workingDirectory: string;
  readonly expand: (word: string) => string;
}

/** The mounts of a RUN with every default in place (Dockerfile reference, "RUN --mount"). Throws INVALID_MOUNT. */
export function planMounts({ mounts }: Run, { origins, workingDirectory, expand }: MountContext): readonly RunMount[] {
  let sockets = 0;
  return mounts.map((flag, i) => {
    // What from means was decided when the stages were chosen.
    const spec = mountSpec(flag, (value, key) => (key === "from" ? value : expand(value)));
    const socket = spec.type === "ssh" ? sockets++ : 0;
    return planMount(spec, flag, origins[i], workingDirectory, socket);
  });
}

function planMount(spec: MountSpec, flag: MountFlag, origin: FileOrigin | undefined, cwd: string, socket: number): RunMount {
  const { type, uid = 0, gid = 0, required = false } = spec;
  const at = (path: string): string => mountTarget(path, flag, cwd);
  switch (type) {
    case "bind": {
      const { source = "", target = "", readOnly = true } = spec;
      return {
        type,
        target: at(target),
        origin: origin ?? { from: "context" },
        source: cleanSource(source),
        ...climbing(source),
        readOnly,
      };
    }
    case "cache": {
      const target = spec.target ?? "";
      const seed = origin?.from === "image" && origin.image === scratch ? undefined : origin;
      return {
        type,
        target: at(target),
        // As written, not joined: one cache is meant wherever the working directory is.
        id: spec.id ?? cleaned(target),
        sharing: spec.sharing ?? "shared",
        readOnly: spec.readOnly ?? false,
        ...(seed === undefined ? {} : { origin: seed }),
        source: cleanSource(spec.source ?? ""),
        mode: spec.mode ?? 0o755,
        uid,
        gid,
      };
    }
    case "tmpfs":
      // Docker's size of 0 is no limit.
      return { type, target: at(spec.target ?? ""), ...(spec.sizeBytes ? { sizeBytes: spec.sizeBytes } : {}) };
    case "secret": {
      const id = spec.id ?? spec.source ?? posix.basename(spec.target ?? "");
      const path = spec.target ?? (spec.env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined);
      return {
        type,
        id,
        ...(path === undefined ? {} : { target: at(path) }),
        ...(spec.env === undefined ? {} : { env: spec.env }),
        required,
        mode: spec.mode ?? 0o400,
        uid,
        gid,
      };
    }
    case "ssh": {
      const target = at(spec.target ?? `/run/buildkit/ssh_agent.${socket}`);
      return { type, id: spec.id ?? "default", target, required, mode: spec.mode ?? 0o600, uid, gid };
    }
  }
}

function mountTarget(path: string, { text }: MountFlag, cwd: string): string {
  const target = posix.resolve("/", cwd, path);
  if (Buffer.byteLength(target) > maxPathBytes || target.split("/").some((name) => Buffer.byteLength(name) > maxNameBytes))
    throw invalid(text, `the target is longer than a path can be: ${maxNameBytes} bytes for a name, ${maxPathBytes} in all`);
  const covered = coveredBySandbox(target);
  if (covered === undefined) return target;
  const hint = path === "" ? "give it a target, or stand behind a WORKDIR" : undefined;
  throw invalid(text, covered === "/" ? "the target is the root directory" : `${target} belongs to the sandbox`, hint);
}

function cleaned(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/+$/, "") : normal;
}
