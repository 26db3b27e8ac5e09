import type { DeviceNumbers, LimitFile, ResourceLimits } from "./resource-limits.ts";

// The limit, its file below "blkio.throttle." of version 1, and its word in "io.max" of version 2.
const RATES = [
  ["deviceReadBps", "read_bps_device", "rbps"],
  ["deviceWriteBps", "write_bps_device", "wbps"],
  ["deviceReadIops", "read_iops_device", "riops"],
  ["deviceWriteIops", "write_iops_device", "wiops"],
] as const;

/** Documentation/admin-guide/cgroup-v1/blkio-controller.rst; the plain names of weights are those of kernels before 5.0. */
export function ioFilesV1(limits: ResourceLimits, numbers: DeviceNumbers): LimitFile[] {
  const { ioWeight, ioWeightDevices = [] } = limits;
  const weight = (file: string, value: string) => ({ file: `blkio.bfq.${file}`, value, otherwise: { file: `blkio.${file}`, value } });
  return [
    ...(ioWeight === undefined ? [] : [{ controller: "io", limit: "ioWeight", ...weight("weight", String(ioWeight)) } as const]),
    ...ioWeightDevices.map(
      ({ device, value }) =>
        ({ controller: "io", limit: "ioWeightDevices", ...weight("weight_device", `${numbers(device)} ${value}`) }) as const,
    ),
    ...RATES.flatMap(([limit, file]) =>
      (limits[limit] ?? []).map(({ device, value }) => ({
        controller: "io",
        limit,
        file: `blkio.throttle.${file}`,
        value: `${numbers(device)} ${value}`,
      })),
    ),
  ];
}

/** Documentation/admin-guide/cgroup-v2.rst, "IO": bfq takes weights as they are, iocost on a scale of its own. */
export function ioFilesV2(limits: ResourceLimits, numbers: DeviceNumbers): LimitFile[] {
  const { ioWeight, ioWeightDevices = [] } = limits;
  const weight = (target: string, value: number) => ({
    file: "io.bfq.weight",
    value: `${target} ${value}`,
    otherwise: { file: "io.weight", value: `${target} ${scaled(value)}` },
  });
  return [
    ...(ioWeight === undefined ? [] : [{ controller: "io", limit: "ioWeight", ...weight("default", ioWeight) } as const]),
    ...ioWeightDevices.map(
      ({ device, value }) => ({ controller: "io", limit: "ioWeightDevices", ...weight(numbers(device), value) }) as const,
    ),
    ...RATES.flatMap(([limit, , word]) =>
      (limits[limit] ?? []).map(({ device, value }) => ({
        controller: "io",
        limit,
        file: "io.max",
        value: `${numbers(device)} ${word}=${value}`,
      })),
    ),
  ];
}

/** Weights of 10–1000 on those of 1–10000, as runc does it. */
function scaled(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
