import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mustRun } from "./command.ts";
import { mountPoints } from "./leftovers.ts";
import { needs } from "./needs.ts";
import { asUser, createUser } from "./users.ts";

describe("test users", needs("root", "privateMounts"), () => {
  it("run as themselves, in their home, with no other groups and an environment of their own", async () => {
    const user = createUser({ uid: 4711, subIds: false });
    const script = 'echo "$(id -u):$(id -g):$(id -G) $PWD $HOME $ADDED ${SUDO_USER-none}"; id -un';
    const result = await asUser(user, ["sh", "-c", script], {
      env: { ADDED: "yes" },
    });
    expect(result).toEqual({
      code: 0,
      stdout: `4711:4711:4711 ${user.home} ${user.home} yes none\ntsbuild-test-4711\n`,
      stderr: "",
    });
  });

  it("leave the machine's files and mounts as they are", async () => {
    const before = [mountPoints(), readFileSync("/etc/passwd", "utf8")];
    const user = createUser({ uid: 4712, subIds: true });
    expect((await asUser(user, ["cat", "/etc/subuid"])).stdout).toBe("tsbuild-test-4712:3000000:65536\n");
    expect([mountPoints(), readFileSync("/etc/passwd", "utf8")]).toEqual(before);
  });

  it("see the checkout read-only and can run node", async () => {
    const user = createUser({ uid: 4713, subIds: false });
    const touched = await asUser(user, ["sh", "-c", `head -c 1 ${user.checkout}/package.json; touch ${user.checkout}/x`]);
    expect(touched).toEqual({ code: 1, stdout: "{", stderr: expect.stringMatching(/Read-only file system|Permission denied/) });
    expect((await asUser(user, [user.node, "-p", "1+1"])).stdout).toBe("2\n");
  });

  it("can map their range of sub-ids, and nothing without one", needs("subIds", "userNamespaces"), async () => {
    const map = ["unshare", "--user", "--map-root-user", "--map-auto", "cat", "/proc/self/uid_map"] as const;
    const withRange = await asUser(createUser({ uid: 4714, subIds: true }), map);
    expect(withRange.code, withRange.stderr).toBe(0);
    expect(withRange.stdout).toContain("3000000");
    expect((await asUser(createUser({ uid: 4715, subIds: false }), map)).code).not.toBe(0);
  });

  it("pass exit codes and standard input through", async () => {
    const user = createUser({ uid: 4716, subIds: false });
    expect(await asUser(user, ["sh", "-c", "cat; exit 7"], { stdin: "in" })).toEqual({ code: 7, stdout: "in", stderr: "" });
    await expect(mustRun(["sh", "-c", "echo why >&2; exit 3"])).rejects.toThrow("running sh -c echo why >&2; exit 3: exit code 3\nwhy\n");
  });
});
