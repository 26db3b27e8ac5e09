import { describe, expect, it } from "vitest";
import { hostDns } from "../../../builder/options.ts";
import { gatewayIn } from "../../../builder/sandbox/default-gateway.ts";
import { hostsFile, parseAddHost, resolution, wantsHostGateway } from "../../../builder/sandbox/network-files.ts";

describe("--add-host", () => {
  it.each<[text: string, name: string, address: string]>([
    ["db:10.0.0.5", "db", "10.0.0.5"],
    ["db=10.0.0.5", "db", "10.0.0.5"],
    ["db.local:::1", "db.local", "::1"],
    ["db=::1", "db", "::1"],
    ["db:[fe80::1]", "db", "fe80::1"],
    ["host.docker.internal:host-gateway", "host.docker.internal", "host-gateway"],
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
    expect(hostsFile("h", [], "10.0.0.1")).toBe(`${standard.join("\n")}\n`);
  });

  it("has added hosts last, in their order", () => {
    const added = [
      { name: "b", address: "2.2.2.2" },
      { name: "a", address: "1.1.1.1" },
      { name: "host", address: "host-gateway" },
    ];
    expect(hostsFile("h", added, "10.0.0.1")).toBe(`${[...standard, "2.2.2.2\tb", "1.1.1.1\ta", "10.0.0.1\thost"].join("\n")}\n`);
  });
});

it("knows who needs a way to the host", () => {
  expect(wantsHostGateway([{ name: "a", address: "1.1.1.1" }])).toBe(false);
  expect(wantsHostGateway([{ name: "a", address: "host-gateway" }])).toBe(true);
});

describe("/etc/resolv.conf", () => {
  const upstream = "nameserver 9.9.9.9\nsearch corp.example\n";
  const forwarded = "169.254.1.1";
  it.each<[name: string, kind: "host" | "isolated", own: string, upstream: string, text: string, forwards: boolean]>([
    [
      "the host's, on its network",
      "host",
      "nameserver 127.0.0.53\noptions edns0\n",
      upstream,
      "nameserver 127.0.0.53\noptions edns0\n",
      false,
    ],
    ["empty where the host has none", "host", "", "", "", false],
    [
      "the host's, where its resolvers are elsewhere",
      "isolated",
      "nameserver 1.1.1.1\nsearch a.b\n",
      upstream,
      "nameserver 1.1.1.1\nsearch a.b\n",
      false,
    ],
    [
      "without those on loopback",
      "isolated",
      "nameserver 127.0.0.1\nnameserver 1.1.1.1\nnameserver ::1\n",
      "",
      "nameserver 1.1.1.1\n",
      false,
    ],
    ["what systemd-resolved asks, where it listens on loopback", "isolated", "nameserver 127.0.0.53\n", upstream, upstream, false],
    [
      "forwarded, where a resolver on loopback is all there is",
      "isolated",
      "nameserver 127.0.0.1\nsearch a.b\n",
      "",
      `nameserver ${forwarded}\n`,
      true,
    ],
    ["empty where nothing resolves", "isolated", "", "", "", false],
  ])("is %s", (_name, kind, own, up, text, forwards) => {
    expect(resolution(kind, { own, upstream: up }, hostDns)).toEqual({ text, ...(forwards ? { forwarded } : {}) });
  });

  it.each<[name: string, dns: Partial<typeof hostDns>, text: string]>([
    ["servers", { servers: ["8.8.8.8", "::2"] }, "nameserver 8.8.8.8\nnameserver ::2\nsearch a.b\noptions x\n"],
    ["search domains", { search: ["c.d", "e.f"] }, "search c.d e.f\nnameserver 1.1.1.1\noptions x\n"],
    ["no search domains", { search: ["."] }, "nameserver 1.1.1.1\noptions x\n"],
    ["options", { options: ["ndots:2", "rotate"] }, "options ndots:2 rotate\nnameserver 1.1.1.1\nsearch a.b\n"],
  ])("has %s instead of the host's", (_name, dns, text) => {
    const own = "nameserver 1.1.1.1\nsearch a.b\noptions x\n";
    expect(resolution("isolated", { own, upstream: "" }, { ...hostDns, ...dns })).toEqual({ text });
  });
});

describe("the host's gateway", () => {
  const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
  it.each<[name: string, rows: string, gateway: string | undefined]>([
    ["the default route's", "eth0\t0000000A\t00000000\t0001\t0\neth0\t00000000\t010200C0\t0003\t0\n", "192.0.2.1"],
    ["none where the default route is a device", "tun0\t00000000\t00000000\t0001\t0\n", undefined],
    ["none without routes", "", undefined],
  ])("is %s", (_name, rows, gateway) => {
    expect(gatewayIn(head + rows)).toBe(gateway);
  });
});
