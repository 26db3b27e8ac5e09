import { describe, expect, it } from "vitest";
import { readAllPorts, readPorts } from "../../../builder/cli/published-ports.ts";

describe("a published port", () => {
  it.each<[string, ReturnType<typeof readPorts>]>([
    ["8080:80", [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }]],
    ["127.0.0.1:8080:80/udp", [{ hostAddress: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "udp" }]],
    ["[::1]:8080:80", [{ hostAddress: "::1", hostPort: 8080, containerPort: 80, protocol: "tcp" }]],
    [
      "8000-8001:80-81/tcp",
      [
        { hostPort: 8000, containerPort: 80, protocol: "tcp" },
        { hostPort: 8001, containerPort: 81, protocol: "tcp" },
      ],
    ],
    ["80", [{ containerPort: 80, protocol: "tcp" }]],
    [":80", [{ containerPort: 80, protocol: "tcp" }]],
    ["127.0.0.1::80", [{ hostAddress: "127.0.0.1", containerPort: 80, protocol: "tcp" }]],
    [
      "[::1]::80-81/udp",
      [
        { hostAddress: "::1", containerPort: 80, protocol: "udp" },
        { hostAddress: "::1", containerPort: 81, protocol: "udp" },
      ],
    ],
  ])("is read from %s", (text, ports) => expect(readPorts("--x", text)).toEqual(ports));

  it.each<[string, string]>([
    ["", 'reading --x: "" is not HOST:CONTAINER'],
    ["80:", 'reading --x: "80:" is not HOST:CONTAINER'],
    ["127.0.0.1:80", 'reading --x: "127.0.0.1:80" is not HOST:CONTAINER'],
    ["0:80", 'reading --x: "0:80" has a port that is not between 1 and 65535: 0'],
    ["80:65536", 'reading --x: "80:65536" has a port that is not between 1 and 65535: 65536'],
    ["host:80:80", 'reading --x: "host:80:80" has no IP address in front: "host"'],
    ["8000-8010:80", 'reading --x: "8000-8010:80" has ranges of different lengths'],
    ["82-80:82-80", 'reading --x: "82-80:82-80" has a range that ends before it begins: 82-80'],
  ])("is refused in %s", (text, message) =>
    expect(() => readPorts("--x", text)).toThrow(expect.objectContaining({ code: "INVALID_VALUE", message })),
  );
});

describe("all published ports", () => {
  it.each<[name: string, texts: string[]]>([
    ["different ones", ["8080:80", "8081:80"]],
    ["both protocols", ["53:53", "53:53/udp"]],
    ["different addresses", ["127.0.0.1:80:80", "127.0.0.2:80:80"]],
    ["all of IPv4 and one of IPv6", ["0.0.0.0:80:80", "[::1]:80:80"]],
    ["free ones", ["80", "80"]],
  ])("can be %s", (_name, texts) => expect(readAllPorts("--x", texts)).toHaveLength(texts.length));

  it.each<[name: string, texts: [string, string], port: string]>([
    ["the same", ["8080:80", "8080:81"], "8080/tcp"],
    ["one address and all", ["127.0.0.1:80:80", "80:81"], "80/tcp"],
    ["one address and all of its family", ["0.0.0.0:80:80", "127.0.0.1:80:81"], "80/tcp"],
    ["one in a range", ["8000-8002:80-82/udp", "8001:90/udp"], "8001/udp"],
  ])("cannot be %s", (_name, texts, port) =>
    expect(() => readAllPorts("--x", texts)).toThrow(
      expect.objectContaining({
        code: "INVALID_VALUE",
        message: `reading --x: "${texts[1]}" wants the host's port ${port}, which another one has`,
      }),
    ),
  );

  it("are tcp or udp", () =>
    expect(() => readPorts("--x", "80:80/sctp")).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_VALUE",
        message: 'reading --x: "80:80/sctp" has the protocol sctp, which is not supported',
      }),
    ));
});
