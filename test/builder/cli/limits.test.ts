import { describe, expect, it } from "vitest";
import { readLimits } from "../../../builder/cli/limits.ts";
import { thrown } from "./thrown.ts";

type Flags = Parameters<typeof readLimits>[0];

describe("limits", () => {
  it.each<[name: string, Flags, resources: string[], expected: object]>([
    ["none", {}, [], {}],
    ["memory", { memory: "512m" }, [], { memoryBytes: 536870912 }],
    ["memory and swap", { memory: "1g", "memory-swap": "2g" }, [], { memoryBytes: 1073741824, memorySwapBytes: 2147483648 }],
    ["no limit of memory", { memory: "0" }, [], {}],
    ["a period alone", { "cpu-period": "25000" }, [], { cpuPeriodUs: 25_000 }],
    ["processors and a period", { cpus: "2", "cpu-period": "25000" }, [], { cpus: 2, cpuPeriodUs: 25_000 }],
    ["reserved memory", { memory: "1g", "memory-reservation": "512m" }, [], { memoryBytes: 2 ** 30, memoryReservationBytes: 2 ** 29 }],
    ["no swapping", { "memory-swappiness": "0" }, [], { memorySwappiness: 0 }],
    ["swapping as it is", { "memory-swappiness": "-1" }, [], {}],
    ["memory nodes", { "cpuset-mems": "0,1" }, [], { cpusetMems: "0,1" }],
    ["a weight of disks", { "blkio-weight": "300" }, [], { ioWeight: 300 }],
    ["no weight of disks", { "blkio-weight": "0" }, [], {}],
    [
      "disks, by flags and by name",
      { "device-read-bps": ["/dev/sda:1mb", "/dev/disk/by-path/pci-0000:00:1f.2:2k"], "blkio-weight-device": ["/dev/sda:10"] },
      ["device-write-iops=/dev/sda:100"],
      {
        deviceReadBps: [
          { device: "/dev/sda", value: 2 ** 20 },
          { device: "/dev/disk/by-path/pci-0000:00:1f.2", value: 2048 },
        ],
        ioWeightDevices: [{ device: "/dev/sda", value: 10 }],
        deviceWriteIops: [{ device: "/dev/sda", value: 100 }],
      },
    ],
    ["unlimited swap", { "memory-swap": "-1" }, [], { memorySwapBytes: -1 }],
    ["processors", { cpus: "1.5" }, [], { cpus: 1.5 }],
    ["a quota", { "cpu-quota": "50000" }, [], { cpus: 0.5 }],
    ["a quota and a period", { "cpu-quota": "50000", "cpu-period": "25000" }, [], { cpus: 2, cpuPeriodUs: 25_000 }],
    ["shares and set", { "cpu-shares": "512", "cpuset-cpus": "0-1" }, [], { cpuShares: 512, cpusetCpus: "0-1" }],
    ["processes", { "pids-limit": "100" }, [], { pids: 100 }],
    ["no limit of processes", { "pids-limit": "-1" }, [], {}],
    ["resources by name", {}, ["memory=6m", "cpus=2", "pids=9"], { memoryBytes: 6291456, cpus: 2, pids: 9 }],
    ["a resource after a flag", { memory: "7m" }, ["memory=8m"], { memoryBytes: 8388608 }],
  ])("%s", (_name, flags, resources, expected) => {
    expect(readLimits(flags, resources)).toEqual(expected);
  });

  it.each<[name: string, Flags, resources: string[], message: string]>([
    ["a bad size", { memory: "much" }, [], 'reading --memory: "much" is not a size'],
    ["a bad resource", {}, ["memory=much"], 'reading --resource memory: "much" is not a size'],
    ["an unknown resource", {}, ["disk=1g"], 'reading --resource: "disk=1g" names no limit'],
    ["a resource without value", {}, ["memory"], 'reading --resource: "memory" is not LIMIT=VALUE'],
    ["a name of Object.prototype", {}, ["constructor=1"], 'reading --resource: "constructor=1" names no limit'],
    [
      "swap below memory",
      { memory: "2g", "memory-swap": "1g" },
      [],
      'reading --memory-swap: "1g" is less than --memory, and memory is part of it',
    ],
    ["processors said twice", { cpus: "1", "cpu-quota": "1000" }, [], 'reading --cpus: "1" and --cpu-quota say the same thing twice'],
    ["a period that is too short", { "cpu-period": "999" }, [], 'reading --cpu-period: "999" is not a whole number from 1000 on'],
    ["a period that is too long", { "cpu-period": "1000001" }, [], 'reading --cpu-period: "1000001" is more than 1000000'],
    ["too little of it", { "cpu-quota": "999" }, [], 'reading --cpu-quota: "999" is not a whole number from 1000 on'],
    ["swap alone", { "memory-swap": "1g" }, [], 'reading --memory-swap: "1g" means nothing without --memory, and memory is part of it'],
    [
      "more reserved than there is",
      { memory: "1g", "memory-reservation": "2g" },
      [],
      'reading --memory-reservation: "2g" is more than --memory',
    ],
    ["swappiness", { "memory-swappiness": "101" }, [], 'reading --memory-swappiness: "101" is more than 100'],
    ["a small weight", { "blkio-weight": "9" }, [], 'reading --blkio-weight: "9" is not a whole number from 10 on'],
    ["a disk without rate", { "device-read-bps": ["/dev/sda"] }, [], 'reading --device-read-bps: "/dev/sda" is not DEVICE:VALUE'],
    ["a disk without path", { "device-read-bps": ["sda:1"] }, [], 'reading --device-read-bps: "sda:1" is not DEVICE:VALUE'],
    ["no rate", {}, ["device-write-bps=/dev/sda:0"], 'reading --resource device-write-bps: "0" is not a rate above 0'],
    ["one share", { "cpu-shares": "1" }, [], 'reading --cpu-shares: "1" is not a whole number from 2 on'],
  ])("refused: %s", (_name, flags, resources, message) => {
    expect(thrown(() => readLimits(flags, resources)).message).toBe(message);
  });

  it.each<[memory: string, hint: string]>([
    ["10", "write 10m"],
    ["512", "write 512m"],
    ["10k", "write 10m"],
    ["5m", "write 6m or more"],
    ["0.5", "write 6m or more"],
  ])("too little memory, --memory %s: %s", (memory, hint) => {
    expect(thrown(() => readLimits({ memory }))).toMatchObject({
      code: "INVALID_VALUE",
      message: `reading --memory: "${memory}" is less than 6m, and nothing starts with so little`,
      hint,
    });
  });
});
