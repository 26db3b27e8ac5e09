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
    ["unlimited swap", { "memory-swap": "-1" }, [], { memorySwapBytes: -1 }],
    ["processors", { cpus: "1.5" }, [], { cpus: 1.5 }],
    ["a quota", { "cpu-quota": "50000" }, [], { cpus: 0.5 }],
    ["a quota and a period", { "cpu-quota": "50000", "cpu-period": "25000" }, [], { cpus: 2 }],
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
    ["an unknown resource", {}, ["disk=1g"], 'reading --resource: "disk=1g" is not LIMIT=VALUE'],
    ["a resource without value", {}, ["memory"], 'reading --resource: "memory" is not LIMIT=VALUE'],
    ["a name of Object.prototype", {}, ["constructor=1"], 'reading --resource: "constructor=1" is not LIMIT=VALUE'],
    [
      "swap below memory",
      { memory: "2g", "memory-swap": "1g" },
      [],
      'reading --memory-swap: "1g" is less than --memory, and memory is part of it',
    ],
    ["processors said twice", { cpus: "1", "cpu-quota": "1000" }, [], 'reading --cpus: "1" and --cpu-quota say the same thing twice'],
    ["a period alone", { "cpu-period": "1000" }, [], 'reading --cpu-period: "1000" means nothing without --cpu-quota'],
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
