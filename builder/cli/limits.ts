import type { ResourceLimits } from "../options.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { invalid, readCpuset, readInteger, readPositive, readSize } from "./values.ts";

/** The flags about resources, the same for RUN steps and containers. */
export const limitFlags = {
  memory: { short: "m", value: "SIZE", help: "Limit of memory: 512m, 2g" },
  "memory-swap": {
    value: "SIZE",
    help: "Limit of memory and swap together; -1 is unlimited",
  },
  cpus: { value: "N", help: "Limit of processor time, in processors: 1.5" },
  "cpu-period": {
    value: "USEC",
    help: "Period of --cpu-quota in microseconds (100000)",
  },
  "cpu-quota": {
    value: "USEC",
    help: "Limit of processor time a period, in microseconds",
  },
  "cpu-shares": {
    value: "N",
    help: "Weight of processor time beside others (1024)",
  },
  "cpuset-cpus": { value: "LIST", help: "Processors that may be used: 0-2,4" },
  "pids-limit": {
    value: "N",
    help: "Limit of processes and threads; -1 is unlimited",
  },
} as const satisfies FlagTable;

type LimitFlag = keyof typeof limitFlags;

/** `resources` are "key=value" words that name the same limits ("memory=1g", "pids=100"). */
export function readLimits(flags: FlagValues<typeof limitFlags>, resources: readonly string[] = []): ResourceLimits {
  const given = new Map<LimitFlag, { flag: string; text: string }>();
  for (const name of Object.keys(limitFlags) as LimitFlag[]) {
    const text = flags[name];
    if (text !== undefined) given.set(name, { flag: `--${name}`, text });
  }
  for (const word of resources) {
    const at = word.indexOf("=");
    const key = word.slice(0, Math.max(at, 0));
    const name = (key === "pids" ? "pids-limit" : key) as LimitFlag;
    if (at < 0 || !Object.hasOwn(limitFlags, name)) {
      throw invalid(
        "--resource",
        word,
        "is not LIMIT=VALUE",
        `limits: ${Object.keys(limitFlags).join(", ").replace("pids-limit", "pids")}`,
      );
    }
    given.set(name, { flag: `--resource ${key}`, text: word.slice(at + 1) });
  }
  const read = <T>(name: LimitFlag, reader: (flag: string, text: string) => T): T | undefined => {
    const found = given.get(name);
    return found === undefined ? undefined : reader(found.flag, found.text);
  };
  const memoryBytes = read("memory", readMemory);
  const memorySwapBytes = read("memory-swap", (flag, text) => (text === "-1" ? -1 : readSize(flag, text)));
  const quota = read("cpu-quota", (flag, text) => readInteger(flag, text, 1));
  const period = read("cpu-period", (flag, text) => readInteger(flag, text, 1)) ?? 100_000;
  const cpus = read("cpus", readPositive) ?? (quota === undefined ? undefined : quota / period);
  const cpuShares = read("cpu-shares", (flag, text) => readInteger(flag, text, 2));
  const cpusetCpus = read("cpuset-cpus", readCpuset);
  // -1 and 0 ask for no limit, as in Docker.
  const pids = read("pids-limit", (flag, text) => readInteger(flag, text, -1));
  if (given.has("cpu-quota") && given.has("cpus")) {
    throw invalid("--cpus", given.get("cpus")?.text ?? "", "and --cpu-quota say the same thing twice");
  }
  if (given.has("cpu-period") && !given.has("cpu-quota")) {
    throw invalid("--cpu-period", String(period), "means nothing without --cpu-quota");
  }
  if (memoryBytes !== undefined && memorySwapBytes !== undefined && memorySwapBytes >= 0 && memorySwapBytes < memoryBytes) {
    throw invalid("--memory-swap", given.get("memory-swap")?.text ?? "", "is less than --memory, and memory is part of it");
  }
  return {
    ...(memoryBytes === undefined || memoryBytes === 0 ? {} : { memoryBytes }),
    ...(memorySwapBytes === undefined ? {} : { memorySwapBytes }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(cpuShares === undefined ? {} : { cpuShares }),
    ...(cpusetCpus === undefined ? {} : { cpusetCpus }),
    ...(pids === undefined || pids <= 0 ? {} : { pids }),
  };
}

/** What Docker asks for at least: a container that gets less does not start, for reasons hard to see. */
const leastMemoryBytes = 6 * 2 ** 20;

function readMemory(flag: string, text: string): number {
  const bytes = readSize(flag, text);
  const number = Number.parseFloat(text);
  // 0 asks for no limit, as in Docker.
  if (bytes >= leastMemoryBytes || number === 0) return bytes;
  const hint = number >= 6 ? `write ${number}m` : "write 6m or more";
  throw invalid(flag, text, "is less than 6m, and nothing starts with so little", hint);
}
