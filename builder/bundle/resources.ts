import type { DeviceNumbers, DeviceValue } from "../../runtime-addon/index.ts";
import type { ResourceLimits } from "../options.ts";
import type { Json } from "./json.ts";

/** The kernel's default of a CPU quota's period, in microseconds. */
const defaultPeriodUs = 100_000;

/** `linux.resources` of config.json (runtime-spec, config-linux.md, "Control groups"). `numbers` tells those of block devices. */
export function bundleResources(
  limits: ResourceLimits,
  { rootless, numbers }: { readonly rootless: boolean; readonly numbers: DeviceNumbers },
): Json {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness } = limits;
  const { cpus, cpuPeriodUs, cpuShares, cpusetCpus, cpusetMems, pids, ioWeight } = limits;
  const devices = (values: readonly DeviceValue[] | undefined, name: string): Json | undefined =>
    values?.map(({ device, value }) => {
      const [major, minor] = numbers(device).split(":").map(Number);
      return { major, minor, [name]: value };
    });
  const period = cpuPeriodUs ?? (cpus === undefined ? undefined : defaultPeriodUs);
  return {
    // In a user namespace none can be made.
    ...(rootless ? {} : { devices: [{ allow: false, access: "rwm" }] }),
    memory: given({
      limit: memoryBytes,
      reservation: memoryReservationBytes,
      // Docker's default: as much swap as memory.
      swap: memorySwapBytes ?? (memoryBytes === undefined ? undefined : 2 * memoryBytes),
      swappiness: memorySwappiness,
    }),
    cpu: given({
      shares: cpuShares,
      quota: cpus === undefined || period === undefined ? undefined : Math.round(cpus * period),
      period,
      cpus: cpusetCpus,
      mems: cpusetMems,
    }),
    pids: given({ limit: pids }),
    blockIO: given({
      weight: ioWeight,
      weightDevice: devices(limits.ioWeightDevices, "weight"),
      throttleReadBpsDevice: devices(limits.deviceReadBps, "rate"),
      throttleWriteBpsDevice: devices(limits.deviceWriteBps, "rate"),
      throttleReadIOPSDevice: devices(limits.deviceReadIops, "rate"),
      throttleWriteIOPSDevice: devices(limits.deviceWriteIops, "rate"),
    }),
  };
}

/** Undefined where there is nothing in it. */
function given(values: Readonly<Record<string, Json | undefined>>): Json | undefined {
  return Object.values(values).some((value) => value !== undefined) ? values : undefined;
}
