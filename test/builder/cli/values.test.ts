import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  readCpuset,
  readEpoch,
  readEpochOrWord,
  readHost,
  readInteger,
  readPairs,
  readPlatform,
  readPlatforms,
  readPositive,
  readSize,
  readVolume,
} from "../../../builder/cli/values.ts";
import { machinePlatform, platformText } from "../../../store/platform.ts";
import { thrown } from "./thrown.ts";

type Reader = (flag: string, text: string) => unknown;

describe("values", () => {
  it.each<[Reader, string, unknown]>([
    [readSize, "0", 0],
    [readSize, "512", 512],
    [readSize, "512b", 512],
    [readSize, "1k", 1024],
    [readSize, "64KiB", 65536],
    [readSize, "512m", 536870912],
    [readSize, "1.5g", 1610612736],
    [readSize, "2GB", 2147483648],
    [readSize, "1t", 1099511627776],
    [readPositive, "1.5", 1.5],
    [readPositive, "0.01", 0.01],
    [readCpuset, "0-2,4", "0-2,4"],
    [readHost, "db:10.0.0.7", "db:10.0.0.7"],
    [readHost, "db=10.0.0.7", "db:10.0.0.7"],
    [readHost, "db:::1", "db:::1"],
    [readHost, "db=[::1]", "db:::1"],
    [readHost, "host.docker.internal:host-gateway", "host.docker.internal:host-gateway"],
    [readVolume, "/a:/b", { source: "/a", target: "/b", readOnly: false }],
    [readVolume, "/a:/b:ro", { source: "/a", target: "/b", readOnly: true }],
    [readVolume, "/a:/process", { source: "/a", target: "/process", readOnly: false }],
    [readVolume, "/a:/dev/a", { source: "/a", target: "/dev/a", readOnly: false }],
    [readVolume, "./a:/b:rw", { source: resolve("a"), target: "/b", readOnly: false }],
    [readEpoch, "0", 0],
    [readEpoch, "1700000000", 1700000000],
    [readEpochOrWord, "1700000000", 1700000000],
    [readEpochOrWord, "context", "context"],
    [readEpochOrWord, "3proxy", "3proxy"],
    [readPlatform, "linux/amd64", "linux/amd64"],
    [readPlatform, "linux/arm/v7", "linux/arm/v7"],
    [readPlatform, "linux/arm64/v8", "linux/arm64"],
    [readPlatform, "Linux/x86_64", "linux/amd64"],
  ])("%o reads %s", (reader, text, expected) => {
    expect(reader("--x", text)).toEqual(expected);
  });

  it.each<[Reader, string, string]>([
    [readSize, "", 'reading --x: "" is not a size'],
    [readSize, "-1", 'reading --x: "-1" is not a size'],
    [readSize, "12q", 'reading --x: "12q" is not a size'],
    [readSize, "1e3", 'reading --x: "1e3" is not a size'],
    [readPositive, "0", 'reading --x: "0" is not a number above 0'],
    [readPositive, "two", 'reading --x: "two" is not a number above 0'],
    [readCpuset, "0-", 'reading --x: "0-" is not a list of processors'],
    [readCpuset, "0\n1", 'reading --x: "0\n1" is not a list of processors'],
    [readHost, "db", 'reading --x: "db" is not NAME:ADDRESS'],
    [readHost, "db:host", 'reading --x: "db:host" is not NAME:ADDRESS'],
    [readHost, "a b:10.0.0.1", 'reading --x: "a b:10.0.0.1" is not NAME:ADDRESS'],
    [readHost, "db:10.0.0.1\n6.6.6.6 bank", 'reading --x: "db:10.0.0.1\n6.6.6.6 bank" is not NAME:ADDRESS'],
    [readHost, "db:10.0.0.256", 'reading --x: "db:10.0.0.256" is not NAME:ADDRESS'],
    [readVolume, "/a", 'reading --x: "/a" asks for a volume, and there are none'],
    [readVolume, "/a:b", 'reading --x: "/a:b" has no absolute path in the container'],
    [readVolume, "/a:/b:x", 'reading --x: "/a:/b:x" has the mode "x", which is neither ro nor rw'],
    [readVolume, "data:/b", 'reading --x: "data" is a volume\'s name, and there are no named volumes'],
    [readVolume, "/a:/", 'reading --x: "/a:/" would cover /, which is the sandbox\'s own'],
    [readVolume, "/a:/x/..", 'reading --x: "/a:/x/.." would cover /, which is the sandbox\'s own'],
    [readVolume, "/a:/proc:ro", 'reading --x: "/a:/proc:ro" would cover /proc, which is the sandbox\'s own'],
    [readVolume, "/a:/proc/sys/kernel", 'reading --x: "/a:/proc/sys/kernel" would cover /proc, which is the sandbox\'s own'],
    [readVolume, "/a:/b/../sys//fs/", 'reading --x: "/a:/b/../sys//fs/" would cover /sys, which is the sandbox\'s own'],
    [readVolume, "/a:/dev/", 'reading --x: "/a:/dev/" would cover /dev, which is the sandbox\'s own'],
    [readEpoch, "-1", 'reading --x: "-1" is not a whole number from 0 on'],
    [readEpoch, "1.5", 'reading --x: "1.5" is not a whole number from 0 on'],
    [readEpoch, "git", 'reading --x: "git" is not a whole number from 0 on'],
    [readEpoch, "253402300800", 'reading --x: "253402300800" is later than the year 9999'],
    [readEpochOrWord, "", 'reading --x: "" is not a whole number from 0 on'],
    [readEpochOrWord, "-1", 'reading --x: "-1" is not a whole number from 0 on'],
    [readEpochOrWord, "1.5", 'reading --x: "1.5" is not a whole number from 0 on'],
    [readPlatform, "linus", 'reading --x: "linus" is not OS/ARCHITECTURE'],
    [readPlatform, "linux/amd64/v2/x", 'reading --x: "linux/amd64/v2/x" is not OS/ARCHITECTURE'],
    [readPlatform, "linux/a b", 'reading --x: "linux/a b" is not OS/ARCHITECTURE'],
    [readPlatform, "linux/amd64/", 'reading --x: "linux/amd64/" is not OS/ARCHITECTURE'],
    [readPlatform, "linux/amd64,linux/arm64", 'reading --x: "linux/amd64,linux/arm64" names several platforms, and one is needed'],
  ])("%o refuses %s", (reader, text, message) => {
    expect(thrown(() => reader("--x", text)).message).toBe(message);
  });

  it("platforms are words between commas, each once", () => {
    expect(readPlatforms("--x", ["linux/arm64, linux/x86_64", "aarch64", "linux/arm"])).toEqual([
      "linux/arm64",
      "linux/amd64",
      "linux/arm/v7",
    ]);
    expect(readPlatforms("--x", [""])).toEqual([]);
    expect(thrown(() => readPlatforms("--x", ["linux/amd64,amr"])).message).toBe('reading --x: "amr" is not OS/ARCHITECTURE');
    expect(readPlatforms("--x", ["local"])).toEqual([platformText(machinePlatform())]);
    expect(thrown(() => readPlatforms("--x", ["linux/amd64,"])).message).toBe('reading --x: "linux/amd64," has an empty part');
  });

  it("whole numbers have a least value", () => {
    expect(readInteger("--x", "7", 1)).toBe(7);
    expect(readInteger("--x", "-1", -1)).toBe(-1);
    expect(thrown(() => readInteger("--x", "0", 1)).message).toBe('reading --x: "0" is not a whole number from 1 on');
    expect(thrown(() => readInteger("--x", "9999999999999999", 1)).message).toBe(
      'reading --x: "9999999999999999" is not a whole number from 1 on',
    );
  });

  it("pairs: the last one wins, a name alone is looked up, an unknown name is left out", () => {
    const env: Record<string, string> = { HOME: "/root", EMPTY: "" };
    expect(readPairs("--x", ["a=1", "b=x=y", "a=2", "HOME", "EMPTY", "NONE", "c="], (key) => env[key])).toEqual({
      a: "2",
      b: "x=y",
      HOME: "/root",
      EMPTY: "",
      c: "",
    });
    expect(thrown(() => readPairs("--x", ["=1"], () => "")).message).toBe('reading --x: "=1" has no name before =');
    expect(Object.entries(readPairs("--x", ["__proto__=1"], () => ""))).toEqual([["__proto__", "1"]]);
  });
});
