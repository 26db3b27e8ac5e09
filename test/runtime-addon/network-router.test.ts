import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openNetwork } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What connects the network: a script of ip(8), in the namespace that pasta would be given. The other end of its interface is there, too. */
function connecting(script: string): string {
  const program = join(temporaryDirectory("router"), "program");
  // Of two, the interface that was made first is taken: that is the peer.
  const inside = `set -e; ip link add far0 type veth peer name out0; ip link set far0 up; ip link set out0 up; ${script}`;
  const text = `#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\nnsenter --net=/proc/self/fd/6 sh -c '${inside}' && echo >&7 && exec sleep 60\n`;
  writeFileSync(program, text, { mode: 0o755 });
  return program;
}

/** What ip says in the network that lies behind. */
async function behind(script: string, question: string): Promise<readonly string[]> {
  const network = await openNetwork({ program: connecting(script) });
  try {
    const text = execFileSync("nsenter", ["--net", "--target", String(network.pid), "sh", "-c", question], { encoding: "utf8" });
    return text.split("\n").flatMap((line) => (line === "" ? [] : [line.trim().replaceAll(/ +/g, " ")]));
  } finally {
    await network.close();
  }
}

const ADDRESS = "ip addr add 10.77.0.1/24 dev out0";
const ROUTES = "ip -4 route show table main proto static";

describe("behind the namespace that is connected", needs("root", "privateMounts", "iproute"), () => {
  it("are all of its addresses, in their order, though several are of one network", async () => {
    const script = ["10.77.0.1/24", "10.78.0.1/24", "10.77.0.2/24", "10.78.0.2/24"]
      .map((each) => `ip addr add ${each} dev out0`)
      .join("; ");
    const found = await behind(script, "ip -4 -brief addr show dev out0");
    expect(found).toEqual([expect.stringMatching(/^out0\S* \S+ 10\.77\.0\.1\/24 10\.78\.0\.1\/24 10\.77\.0\.2\/24 10\.78\.0\.2\/24$/)]);
  });

  it.each<[name: string, script: string, routes: readonly string[]]>([
    ["one by a gateway", "ip route add default via 10.77.0.2 proto static", ["default via 10.77.0.2 dev out0 onlink"]],
    [
      "one by several",
      "ip route add default proto static nexthop via 10.77.0.2 weight 3 nexthop via 10.77.0.3 weight 1",
      ["default", "nexthop via 10.77.0.2 dev out0 weight 3 onlink", "nexthop via 10.77.0.3 dev out0 weight 1 onlink"],
    ],
    [
      "those that lead nowhere",
      "for type in unreachable blackhole prohibit throw; do ip route add $type 10.99.$((n += 1)).0/24 proto static; done",
      ["unreachable 10.99.1.0/24", "blackhole 10.99.2.0/24", "prohibit 10.99.3.0/24", "throw 10.99.4.0/24"],
    ],
  ])("are its routes: %s", async (_name, script, routes) => {
    expect(await behind(`${ADDRESS}; ${script}`, ROUTES)).toEqual(routes);
  });

  it("are its routes of IPv6 by several gateways", needs("isolatedIpv6"), async () => {
    const script =
      "ip addr add fd77::1/64 dev out0 nodad; ip -6 route add default proto static nexthop via fd77::2 dev out0 nexthop via fd77::3 dev out0";
    const found = await behind(script, "ip -6 route show default");
    expect(found.join(" ")).toMatch(/^default .*nexthop via fd77::2 dev out0 .*nexthop via fd77::3 dev out0 /);
  });

  it("is nothing where the way out is by another interface: a network without one would be no network", async () => {
    const script = `${ADDRESS}; ip route add default dev far0 proto static`;
    await expect(behind(script, "true")).rejects.toMatchObject({
      code: "NETWORK_REFUSED",
      failure: { op: "--routed", errno: "ENODEV", path: "default route" },
    });
  });
});
