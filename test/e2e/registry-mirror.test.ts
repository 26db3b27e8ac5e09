import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote } from "../support/registry/inspect-remote.ts";
import { type Machine, newMachine, settingsFile } from "../support/registry/machine.ts";
import { requestLines, transfers } from "../support/registry/request-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let registry: DebianRegistry;
/** A pull-through cache of `registry`. */
let mirror: DebianRegistry;
let digest: string;

/** A machine with these settings. */
function machineWith(settings: string): Machine {
  const machine = newMachine();
  machine.write(settingsFile, settings);
  return machine;
}

const mirrorsOf = (host: string, ...mirrors: readonly string[]) => `[registry.host."${host}"]\nmirrors = ${JSON.stringify(mirrors)}\n`;

describe("a pull-through mirror", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    registry = await startDebianRegistry({ directory });
    mirror = await startDebianRegistry({ directory, mirrorOf: `http://${registry.host}` });
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "a\n" });
    const names = ["team/app", "library/app"].map((name) => `${registry.host}/${name}`);
    await newMachine().must(["-q", ...names.flatMap((name) => ["-t", name]), "--push", context]);
    ({ digest } = await inspectRemote(registry.host, "team/app"));
  });
  afterAll(() => Promise.all([registry.close(), mirror.close()]));

  it("gives what the registry has, which is not asked itself", async () => {
    const machine = machineWith(mirrorsOf("registry.test", mirror.host));
    const requests = await mirror.requestsDuring(async () => {
      expect(await machine.must(["pull", "registry.test/team/app"])).toBe(`registry.test/team/app@${digest}`);
    });
    expect(transfers(requests)).toHaveLength(2);
  });

  it("stands for docker.io", async () => {
    const machine = machineWith(mirrorsOf("docker.io", `http://${mirror.host}`));
    const context = contextDirectory({ Dockerfile: "FROM app\nCOPY --from=app /a /b\n" });
    await machine.must(["-t", "built", context]);
    expect(await machine.must(["pull", "app"])).toBe(`app@${digest}`);
  });

  it("is passed over where it does not answer, and asked in its turn", async () => {
    const gone = await startDebianRegistry({ directory: temporaryDirectory("registry") });
    await gone.close();
    const machine = machineWith(mirrorsOf("registry.test", gone.host, mirror.host));
    expect(await machine.must(["pull", "--retry=0", "registry.test/team/app"])).toBe(`registry.test/team/app@${digest}`);
  });

  it("is passed over where it does not have the image", async () => {
    const empty = await startDebianRegistry({ directory: temporaryDirectory("registry") });
    try {
      const machine = machineWith(mirrorsOf(registry.host, empty.host));
      const asked = await empty.requestsDuring(() => machine.must(["pull", `${registry.host}/team/app`]));
      expect(requestLines(asked)[0]).toBe("GET team/app/manifests/latest 404");
    } finally {
      await empty.close();
    }
  });

  it("is never pushed to", async () => {
    const machine = machineWith(mirrorsOf(registry.host, mirror.host));
    await machine.must(["-q", "-t", "app", contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "mine\n" })]);
    const requests = await mirror.requestsDuring(() => machine.must(["push", "app", `${registry.host}/pushed`]));
    expect(requestLines(requests).filter((line) => !/^(GET|HEAD) /.test(line))).toEqual([]);
    await inspectRemote(registry.host, "pushed");
  });
});

describe("names that are read as others", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
  });
  afterAll(() => registry.close());

  it("are pushed and pulled where they mean, by the longest beginning that matches", async () => {
    const machine = machineWith(`[registry.rewrite]\n"quay.test" = "nowhere.test"\n"quay.test/team" = "${registry.host}/quay/team"\n`);
    await machine.must(["-q", "-t", "quay.test/team/app", contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "a\n" })]);
    const pushed = await machine.must(["push", "quay.test/team/app"]);
    const remote = await inspectRemote(registry.host, "quay/team/app");
    expect(pushed).toBe(`quay.test/team/app@${remote.digest}`);
    expect(await machine.must(["pull", "quay.test/team/app"])).toBe(pushed);
  });
});
