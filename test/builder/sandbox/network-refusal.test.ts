import { describe, expect, it } from "vitest";
import { isLastingRefusal } from "../../../builder/sandbox/network-refusal.ts";
import { SandboxError } from "../../../runtime-addon/index.ts";

const refused = (errno: string, path = "/usr/bin/pasta") =>
  new SandboxError("NETWORK_REFUSED", "no network", { failure: { op: "--network", syscall: "unshare", errno, path } });

describe("a refusal of a network lasts", () => {
  it.each([
    ["no right to make namespaces", refused("EPERM"), true],
    ["no namespaces left by the machine's settings", refused("ENOSPC"), true],
    ["no tun device", refused("EPROTO", "/usr/bin/pasta: Failed to open() /dev/net/tun: No such file or directory"), true],
    ["no route", refused("EPROTO", "/usr/bin/pasta: External interface not usable"), true],
    ["a port that is taken", refused("EPROTO", "/usr/bin/pasta: Failed to bind any port for '-t 80:80', exiting"), false],
    ["no descriptors left", refused("EPROTO", "/usr/bin/pasta: socket: Too many open files"), false],
    ["no descriptors left for the pipes", refused("EMFILE"), false],
    ["no answer in time", refused("ETIMEDOUT"), false],
    ["a helper that was not started", new SandboxError("NETWORK_REFUSED", "making the network: tsb-init ended with spawn EAGAIN"), false],
  ])("%s", (_name, error, lasts) => expect(isLastingRefusal(error)).toBe(lasts));
});
