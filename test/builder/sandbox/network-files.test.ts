import { describe, expect, it } from "vitest";
import { hostsFile, parseAddHost, resolvFile } from "../../../builder/sandbox/network-files.ts";

describe("--add-host", () => {
  it.each<[text: string, name: string, address: string]>([
    ["db:10.0.0.5", "db", "10.0.0.5"],
    ["db=10.0.0.5", "db", "10.0.0.5"],
    ["db.local:::1", "db.local", "::1"],
    ["db=::1", "db", "::1"],
    ["db:[fe80::1]", "db", "fe80::1"],
    ["host.docker.internal:host-gateway", "host.docker.internal", "127.0.0.1"],
  ])("%s is %s at %s", (text, name, address) => {
    expect(parseAddHost(text)).toEqual({ name, address });
  });

  it.each(["db", "db:", ":10.0.0.5", "", "a b:1", "db:1 evil", "db:1\nevil", "db:other", "db:10.0.0.256", "db:10.0.0.1#"])(
    "%j is refused",
    (text) => {
      expect(() => parseAddHost(text)).toThrow(
        expect.objectContaining({ code: "INVALID_HOST", message: `reading --add-host ${text}: expected NAME:ADDRESS` }),
      );
    },
  );
});

describe("/etc/hosts", () => {
  const standard = [
    "127.0.0.1\tlocalhost h",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
  ];

  it("names the container itself", () => {
    expect(hostsFile("h", [])).toBe(`${standard.join("\n")}\n`);
  });

  it("has added hosts last, in their order", () => {
    const added = [
      { name: "b", address: "2.2.2.2" },
      { name: "a", address: "1.1.1.1" },
    ];
    expect(hostsFile("h", added)).toBe(`${[...standard, "2.2.2.2\tb", "1.1.1.1\ta"].join("\n")}\n`);
  });
});

describe("/etc/resolv.conf", () => {
  it.each<[name: string, hostText: string | undefined, network: "host" | "none", expected: string]>([
    ["the host's", "nameserver 1.1.1.1\n", "host", "nameserver 1.1.1.1\n"],
    ["empty without a network", "nameserver 1.1.1.1\n", "none", ""],
    ["empty where the host has none", undefined, "host", ""],
  ])("is %s", (_name, hostText, network, expected) => {
    expect(resolvFile(hostText, network)).toBe(expected);
  });
});
