import { describe, expect, it } from "vitest";
import { isLastingRefusal, isRefusal, isTakenPort } from "../../../builder/sandbox/network-refusal.ts";
import { SandboxError } from "../../../runtime-addon/index.ts";
import { TsbuildError } from "../../../store/errors.ts";

const refused = (errno: string, path = "/usr/bin/pasta") =>
  new SandboxError("NETWORK_REFUSED", "no network", { failure: { op: "--network", syscall: "unshare", errno, path } });

describe("an error of a network is a refusal, and a lasting one", () => {
  it.each([
    ["no right to make namespaces", refused("EPERM"), [true, true]],
    ["no tun device", refused("EPROTO", "/usr/bin/pasta: Failed to open() /dev/net/tun: No such file or directory"), [true, true]],
    ["no route", refused("EPROTO", "/usr/bin/pasta: External interface not usable"), [true, true]],
    ["no namespaces left, of which others may end", refused("ENOSPC"), [true, false]],
    ["no answer in time", refused("ETIMEDOUT"), [true, false]],
    ["a port that is taken", refused("EPROTO", "/usr/bin/pasta: Failed to bind any port for '-t 80:80', exiting"), [false, false]],
    ["no descriptors left", refused("EPROTO", "/usr/bin/pasta: socket: Too many open files"), [false, false]],
    ["no descriptors left for the pipes", refused("EMFILE"), [false, false]],
    ["a helper that was not started", new SandboxError("NETWORK_REFUSED", "tsb-init ended with spawn EAGAIN"), [false, false]],
  ])("%s", (_name, error, answers) => expect([isRefusal(error), isLastingRefusal(error)]).toEqual(answers));
});

describe("a port has been taken by another program", () => {
  it.each([
    ["as pasta says", refused("EPROTO", "/usr/bin/pasta: Failed to bind any port for '-t 80:80', exiting"), true],
    ["as we have seen", new TsbuildError("PORT_IN_USE", "publishing port 80: another program listens on it"), true],
    ["where pasta says something else", refused("EPROTO", "/usr/bin/pasta: External interface not usable"), false],
    ["where something else has failed", new TsbuildError("PORT_UNAVAILABLE", "publishing port 80: no such address"), false],
    ["where anything has", new Error("ports"), false],
  ])("%s", (_name, error, isTaken) => expect(isTakenPort(error)).toBe(isTaken));
});
