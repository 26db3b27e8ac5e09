import { nearest } from "../dockerfile/suggest.ts";
import type { DeviceValue, ResourceLimits } from "../options.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { invalid, readCpuset, readInteger, readPositive, readSize } from "./values.ts";

/** The flags about resources, the same for RUN steps and containers. */
export const limitFlags = {
  memory: { short: "m", value: "SIZE", help: "Limit of memory: 512m, 2g" },
  "memory-swap": { value: "SIZE", help: "Limit of memory and swap together; -1 is unlimited" },
  "memory-reservation": { value: "SIZE", help: "Memory that is left to it where the machine runs short" },
  "memory-swappiness": { value: "N", help: "How readily its memory is swapped out, 0 to 100 (cgroups v1 only)" },
  cpus: { value: "N", help: "Limit of processor time, in processors: 1.5" },
  "cpu-period": { value: "USEC", help: "In how many microseconds that time is given out (100000)" },
  "cpu-quota": { value: "USEC", help: "Limit of processor time a period, in microseconds" },
  "cpu-shares": { value: "N", help: "Weight of processor time beside others (1024)" },
  "cpuset-cpus": { value: "LIST", help: "Processors that may be used: 0-2,4" },
  "cpuset-mems": { value: "LIST", help: "Memory nodes that may be used: 0" },
  "pids-limit": { value: "N", help: "Limit of processes and threads; -1 is unlimited" },
  "blkio-weight": { value: "N", help: "Weight of reading and writing beside others, 10 to 1000" },
  "blkio-weight-device": { value: "DEVICE:N", many: true, help: "The same on one disk: /dev/sda:500" },
  "device-read-bps": { value: "DEVICE:SIZE", many: true, help: "Bytes a second that are read from a disk: /dev/sda:10mb" },
  "device-write-bps": { value: "DEVICE:SIZE", many: true, help: "Bytes a second that are written to a disk" },
  "device-read-iops": { value: "DEVICE:N", many: true, help: "Read operations a second of a disk" },
  "device-write-iops": { value: "DEVICE:N", many: true, help: "Write operations a second of a disk" },
} as const satisfies FlagTable;

type LimitFlag = keyof typeof limitFlags;

interface Given {
  readonly flag: string;
  readonly text: string;
}

/** `resources` are "key=value" words that name the same limits ("memory=1g", "pids=100"). */
export function readLimits(flags: FlagValues<typeof limitFlags>, resources: readonly string[] = []): ResourceLimits {
  const given = givenLimits(flags, resources);
  const read = <T>(name: LimitFlag, reader: (flag: string, text: string) => T): T | undefined => {
    const found = given.get(name)?.at(-1);
    return found === undefined ? undefined : reader(found.flag, found.text);
  };
  const devices = (name: LimitFlag, reader: (flag: string, text: string) => number): readonly DeviceValue[] | undefined =>
    given.get(name)?.map(({ flag, text }) => readDeviceValue(flag, text, reader));
  const refuse = (name: LimitFlag, problem: string): never => {
    throw invalid(`--${name}`, given.get(name)?.at(-1)?.text ?? "", problem);
  };
  // 0 asks for no limit, as in Docker.
  const memoryBytes = read("memory", readMemory) || undefined;
  const memorySwapBytes = read("memory-swap", (flag, text) => (text === "-1" ? -1 : readSize(flag, text))) || undefined;
  const memoryReservationBytes = read("memory-reservation", readMemory) || undefined;
  const swappiness = read("memory-swappiness", (flag, text) => readBetween(flag, text, -1, 100));
  const cpuPeriodUs = read("cpu-period", (flag, text) => readBetween(flag, text, 1000, 1_000_000));
  const quota = read("cpu-quota", (flag, text) => readInteger(flag, text, 1000));
  const cpus = read("cpus", readPositive) ?? (quota === undefined ? undefined : quota / (cpuPeriodUs ?? 100_000));
  // -1 and 0 ask for no limit, as in Docker.
  const pids = read("pids-limit", (flag, text) => readInteger(flag, text, -1)) ?? 0;
  if (quota !== undefined && given.has("cpus")) refuse("cpus", "and --cpu-quota say the same thing twice");
  if (memorySwapBytes !== undefined && memorySwapBytes > 0) {
    if (memoryBytes === undefined) refuse("memory-swap", "means nothing without --memory, and memory is part of it");
    else if (memorySwapBytes < memoryBytes) refuse("memory-swap", "is less than --memory, and memory is part of it");
  }
  if (memoryReservationBytes !== undefined && memoryBytes !== undefined && memoryReservationBytes > memoryBytes)
    refuse("memory-reservation", "is more than --memory");
  const limits = {
    memoryBytes,
    memorySwapBytes,
    memoryReservationBytes,
    // As in Docker -1 leaves it as it is.
    memorySwappiness: swappiness === -1 ? undefined : swappiness,
    cpus,
    cpuPeriodUs,
    cpuShares: read("cpu-shares", (flag, text) => readInteger(flag, text, 2)),
    cpusetCpus: read("cpuset-cpus", readCpuset),
    cpusetMems: read("cpuset-mems", readCpuset),
    pids: pids > 0 ? pids : undefined,
    ioWeight: read("blkio-weight", readWeight) || undefined,
    ioWeightDevices: devices("blkio-weight-device", readWeight),
    deviceReadBps: devices("device-read-bps", readRate),
    deviceWriteBps: devices("device-write-bps", readRate),
    deviceReadIops: devices("device-read-iops", (flag, text) => readInteger(flag, text, 1)),
    deviceWriteIops: devices("device-write-iops", (flag, text) => readInteger(flag, text, 1)),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function givenLimits(flags: FlagValues<typeof limitFlags>, resources: readonly string[]): ReadonlyMap<LimitFlag, readonly Given[]> {
  const given = new Map<LimitFlag, Given[]>();
  const add = (name: LimitFlag, one: Given): void => void given.set(name, [...(given.get(name) ?? []), one]);
  for (const name of Object.keys(limitFlags) as LimitFlag[]) {
    for (const text of [flags[name] ?? []].flat()) add(name, { flag: `--${name}`, text });
  }
  for (const word of resources) {
    const at = word.indexOf("=");
    const key = word.slice(0, Math.max(at, 0));
    const name = (key === "pids" ? "pids-limit" : key) as LimitFlag;
    if (at < 0 || !Object.hasOwn(limitFlags, name)) {
      const names = Object.keys(limitFlags).map((flag) => (flag === "pids-limit" ? "pids" : flag));
      const near = nearest(at < 0 ? word : key, names);
      const problem = at < 0 ? "is not LIMIT=VALUE" : "names no limit";
      throw invalid(
        "--resource",
        word,
        problem,
        near === undefined || names.includes(word) ? `limits: ${names.join(", ")}` : `did you mean ${near}?`,
      );
    }
    add(name, { flag: `--resource ${key}`, text: word.slice(at + 1) });
  }
  return given;
}

/** What Docker asks for at least: a container that gets less does not start, for reasons hard to see. */
const leastMemoryBytes = 6 * 2 ** 20;

function readMemory(flag: string, text: string): number {
  const bytes = readSize(flag, text);
  const number = Number.parseFloat(text);
  if (bytes >= leastMemoryBytes || number === 0) return bytes;
  const hint = number >= 6 ? `write ${number}m` : "write 6m or more";
  throw invalid(flag, text, "is less than 6m, and nothing starts with so little", hint);
}

function readBetween(flag: string, text: string, min: number, max: number): number {
  const value = readInteger(flag, text, min);
  if (value > max) throw invalid(flag, text, `is more than ${max}`);
  return value;
}

/** 0 asks for none, as in Docker. */
function readWeight(flag: string, text: string): number {
  return text === "0" ? 0 : readBetween(flag, text, 10, 1000);
}

function readRate(flag: string, text: string): number {
  const bytes = readSize(flag, text);
  if (bytes < 1) throw invalid(flag, text, "is not a rate above 0");
  return bytes;
}

/** "/dev/sda:10mb" */
function readDeviceValue(flag: string, text: string, reader: (flag: string, text: string) => number): DeviceValue {
  const [, device, value] = /^(\/.*):([^:]+)$/.exec(text) ?? [];
  if (device === undefined || value === undefined) throw invalid(flag, text, "is not DEVICE:VALUE", "write it as /dev/sda:100");
  return { device, value: reader(flag, value) };
}
