import { copyFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { helperPath, type Probe, probeHost } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser } from "../support/users.ts";
import { bundleProgram } from "./bundled.ts";

function program(): string {
  const directory = temporaryDirectory("probe");
  const path = bundleProgram(directory, "return await runtime.probeHost(args[0]!);");
  copyFileSync(helperPath(), join(directory, "runtime-addon/build/Release/tsb-init"));
  return path;
}

const found = (probes: readonly Probe[]) => Object.fromEntries(probes.map(({ name, ok }) => [name.replace(/ v\d.*/, ""), ok]));

describe("what a machine allows", needs("root", "privateMounts", "userNamespaces", "subIds"), () => {
  async function probeAs(subIds: boolean, ...prefix: string[]): Promise<Probe[]> {
    const user = createUser({ uid: subIds ? 54_361 : 54_362, subIds });
    const { stdout, stderr } = await asUser(user, ["env", ...prefix, user.node, program(), user.home]);
    expect(readdirSync(user.home).filter((name) => name.includes("probe"))).toEqual([]);
    if (stdout === "") throw new Error(stderr);
    return (JSON.parse(stdout) as { value: Probe[] }).value;
  }

  it("root is found out by trying, and leaves nothing behind", async () => {
    const directory = temporaryDirectory("store");
    const probes = await probeHost(directory);
    expect(found(probes)).toMatchObject({ overlay: true, "user namespaces": true, "overlay in a user namespace": true, newuidmap: true });
    expect(readdirSync(directory)).toEqual([]);
    // What does not work says what would help.
    expect(probes.filter(({ ok, needed, remedy }) => !ok && needed !== false && remedy === undefined)).toEqual([]);
    // What a sandbox as we are has no use for is no failure, and asks for nothing to be done.
    expect(probes.filter(({ needed, remedy }) => needed === false && remedy !== undefined)).toEqual([]);
    expect(probes.filter(({ name, ok, needed }) => name === "sub-ids" && !ok && needed !== false)).toEqual([]);
  });

  it("an ordinary user with sub-ids", async () => {
    const probes = await probeAs(true);
    expect(found(probes)).toMatchObject({ overlay: false, "user namespaces": true, "sub-ids": true, "overlay in a user namespace": true });
    expect(probes.find(({ name }) => name === "overlay")).toEqual({
      name: "overlay",
      ok: false,
      needed: false,
      detail: expect.stringMatching(/^[a-z]/),
    });
    expect(probes.find(({ name }) => name === "sub-ids")?.detail).toBe("tsbuild-test-54361 has 3000000–3065535");
  });

  it("networks of an ordinary user are tried as sandboxes have them", needs("isolatedNetwork"), async () => {
    const pasta = (await probeAs(true)).find(({ name }) => name === "pasta");
    // Many distributions let everybody open it.
    if ((statSync("/dev/net/tun").mode & 0o006) === 0o006) expect(pasta).toMatchObject({ ok: true });
    else {
      expect(pasta).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/^connecting the network: .*pasta: Failed to open tun socket.*[^A-Z]$/),
      });
      expect(pasta?.remedy).toContain("chmod 0666 /dev/net/tun");
    }
  });

  it("an ordinary user without is told the command that gives some", async () => {
    expect((await probeAs(false)).find(({ name }) => name === "sub-ids")).toEqual({
      name: "sub-ids",
      ok: false,
      detail: "/etc/subuid has no range for tsbuild-test-54362",
      remedy: "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 tsbuild-test-54362",
    });
  });

  it("a switch that is off is named", async () => {
    // The limit of a user namespace holds for those made in it, so that it can be set without touching the machine's.
    // Without capabilities its root cannot mount an overlay either, which would make others needless.
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
    const off = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"];
    const probes = await probeAs(false, ...off);
    expect(probes.find(({ name }) => name === "user namespaces")).toEqual({
      name: "user namespaces",
      ok: false,
      detail: "making a user namespace: ENOSPC, unshare",
      remedy: "sysctl -w user.max_user_namespaces=15000",
    });
    expect(found(probes)).toMatchObject({ "overlay in a user namespace": false });
    expect(probes.filter(({ name, needed }) => name.startsWith("overlay") && needed === false)).toEqual([]);
  });
});
