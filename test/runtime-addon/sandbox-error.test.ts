import { describe, expect, it, vi } from "vitest";
import { sandboxError } from "../../runtime-addon/sandbox-error.ts";

describe("a network that cannot be connected", () => {
  const refused = (words: string) => sandboxError({ op: "--network", syscall: "execve", errno: 71, path: `/usr/bin/pasta: ${words}` });

  it("is told of by what pasta said, with the device that the user must be able to open", () => {
    const { code, message, hint } = refused("Failed to open tun socket in namespace");
    expect([code, message]).toEqual(["NETWORK_REFUSED", "connecting the network: /usr/bin/pasta: Failed to open tun socket in namespace"]);
    const isRoot = process.getuid?.() === 0;
    expect(hint).toMatch(
      isRoot ? /^in a user namespace \(--userns auto\) anybody must be able to open / : /^this user must be able to open /,
    );
    const asAnother = vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(isRoot ? 1000 : 0);
    expect(refused("Failed to open tun socket in namespace").hint).toMatch(
      isRoot ? /^this user must be able to open \S+: as root, chmod/ : /^in a user/,
    );
    asAnother.mockRestore();
  });

  it("has no hint where it is something else", () => {
    expect(refused("No routable interface").hint).toBeUndefined();
  });

  it.each([
    [
      "a kernel without veth",
      "veth",
      95,
      "putting the network behind one that keeps it from this machine's loopback: the kernel has no veth interfaces",
    ],
    [
      "something else",
      "route",
      101,
      "putting the network behind one that keeps it from this machine's loopback, at route: ENETUNREACH, netlink",
    ],
    ["a read-only /proc/sys", "/proc/sys/net/ipv6/conf/all/forwarding", 30, "handing on packets of IPv6: EROFS, netlink"],
  ])("is told of by what the router lacks: %s", (_name, path, errno, message) => {
    expect(sandboxError({ op: "--routed", syscall: "netlink", errno, path })).toMatchObject({ code: "NETWORK_REFUSED", message });
  });
});
