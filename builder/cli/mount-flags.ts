import { resolve } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { parseKeyValueFlags } from "../dockerfile/values.ts";
import { coveredBySandbox } from "../mount-target.ts";
import type { BindMount, TmpfsMount } from "../run-options.ts";
import { UsageError } from "./usage-error.ts";
import { invalid, readSize } from "./values.ts";

/** What --mount and --tmpfs ask for. */
export interface FlagMounts {
  readonly volumes: readonly BindMount[];
  readonly tmpfs: readonly TmpfsMount[];
}

/** The mounts of `docker run --mount` (a line of CSV each) and --tmpfs. Throws UsageError. */
export function readMounts(mounts: readonly string[], tmpfs: readonly string[]): FlagMounts {
  const read = mounts.map(readMount);
  return {
    volumes: read.flatMap((mount) => ("source" in mount ? [mount] : [])),
    tmpfs: [...read.flatMap((mount) => ("source" in mount ? [] : [mount])), ...tmpfs.map(readTmpfs)],
  };
}

/** By every name that Docker knows them by. */
const keys: Readonly<Record<string, string>> = {
  type: "type",
  source: "source",
  src: "source",
  target: "target",
  dst: "target",
  destination: "target",
  readonly: "readonly",
  ro: "readonly",
  "bind-propagation": "propagation",
  "bind-recursive": "recursive",
  "bind-nonrecursive": "nonrecursive",
  consistency: "consistency",
  "tmpfs-size": "size",
  "tmpfs-mode": "mode",
};

/** Options that one type alone may have. */
const typeOf: Readonly<Record<string, "bind" | "tmpfs">> = {
  source: "bind",
  propagation: "bind",
  recursive: "bind",
  nonrecursive: "bind",
  size: "tmpfs",
  mode: "tmpfs",
};

function readMount(text: string): BindMount | TmpfsMount {
  const options = new Map<string, string>();
  for (const { key, value } of fieldsOf(text)) {
    const name = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (name === undefined)
      throw invalid("--mount", text, `has the option "${key}", which is not known`, `options: ${Object.keys(keys).join(", ")}`);
    if (options.has(name)) throw invalid("--mount", text, `names ${key} twice`);
    if (value === undefined && name !== "readonly" && name !== "nonrecursive") throw invalid("--mount", text, `has no value for ${key}`);
    options.set(name, value ?? "true");
  }
  const type = options.get("type");
  if (type !== "bind" && type !== "tmpfs") {
    throw new UsageError("UNSUPPORTED_VALUE", `reading --mount: "${text}" has ${type === undefined ? "no type" : `the type ${type}`}`, {
      hint: "type=bind,source=DIR,target=PATH shows a directory of the host, type=tmpfs,target=PATH an empty one; there are no volumes with names",
    });
  }
  for (const name of options.keys()) {
    if ((typeOf[name] ?? type) !== type) throw invalid("--mount", text, `has an option that type=${type} does not: ${name}`);
  }
  const target = targetOf("--mount", text, options.get("target") ?? "");
  const readOnly = switchOf(text, options.get("readonly"));
  if (type === "tmpfs") return tmpfsMount("--mount", text, target, { ...Object.fromEntries(options), ...(readOnly ? { ro: "" } : {}) });
  const source = options.get("source") ?? "";
  if (source === "") throw invalid("--mount", text, "has no source", "write type=bind,source=DIR,target=PATH");
  const propagation = options.get("propagation") ?? "rprivate";
  if (!/^r?private$/.test(propagation))
    throw invalid("--mount", text, "shares mounts with the host, which no container may", "leave out bind-propagation");
  const recursive = options.get("recursive") !== "disabled" && !switchOf(text, options.get("nonrecursive"));
  return { source: resolve(source), target, readOnly, ...(recursive ? {} : { recursive }) };
}

function fieldsOf(text: string): ReturnType<typeof parseKeyValueFlags> {
  try {
    return parseKeyValueFlags(text);
  } catch (error) {
    if (error instanceof TsbuildError)
      throw invalid("--mount", text, "is not a list of KEY=VALUE", "write type=bind,source=DIR,target=PATH");
    throw error;
  }
}

function switchOf(text: string, value = "false"): boolean {
  if (/^(1|true)$/i.test(value)) return true;
  if (/^(0|false)$/i.test(value)) return false;
  throw invalid("--mount", text, `has the value "${value}", which is neither true nor false`);
}

/** "PATH[:OPTION,…]" with mount(8)'s options, as Docker reads it. */
function readTmpfs(text: string): TmpfsMount {
  const at = text.indexOf(":");
  const path = at < 0 ? text : text.slice(0, at);
  const options = at < 0 ? [] : text.slice(at + 1).split(",");
  const given = options.map((option) => [option.split("=", 1)[0] ?? "", option.slice(option.indexOf("=") + 1)]);
  const unknown = given.find(([name = ""]) => !tmpfsOptions.has(name));
  if (unknown !== undefined) {
    throw invalid("--tmpfs", text, `has the option "${unknown[0]}", which is not known`, `options: ${[...tmpfsOptions].join(", ")}`);
  }
  return tmpfsMount("--tmpfs", text, targetOf("--tmpfs", text, path), Object.fromEntries(given));
}

/** Device files and set-user-id bits never work in one. */
const tmpfsOptions: ReadonlySet<string> = new Set(["size", "mode", "uid", "gid", "ro", "rw", "exec", "noexec", "nosuid", "nodev"]);

function tmpfsMount(flag: string, text: string, target: string, options: Readonly<Record<string, string>>): TmpfsMount {
  const { size, mode, uid, gid, ro, exec } = options;
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode))
    throw invalid(flag, text, `has the mode "${mode}", which is not octal`, "write mode=1777");
  const id = (value: string): number => {
    if (!/^\d{1,10}$/.test(value) || Number(value) >= 0xffffffff)
      throw invalid(flag, text, `has the owner "${value}", which is no number of one`);
    return Number(value);
  };
  const sizeBytes = size === undefined ? 0 : readSize(`${flag} size=`, size);
  return {
    target,
    // As without a size: half of the machine's memory.
    ...(sizeBytes === 0 ? {} : { sizeBytes }),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(uid === undefined ? {} : { uid: id(uid) }),
    ...(gid === undefined ? {} : { gid: id(gid) }),
    ...(ro === undefined ? {} : { readOnly: true }),
    ...(exec === undefined ? { noExec: true } : {}),
  };
}

/** Throws where nothing can be mounted there. */
export function targetOf(flag: string, text: string, target: string): string {
  if (!target.startsWith("/")) throw invalid(flag, text, "has no absolute path in the container");
  const covered = coveredBySandbox(target);
  if (covered !== undefined) throw invalid(flag, text, `would cover ${covered}, which is the sandbox's own`, "mount it on another path");
  return target;
}
