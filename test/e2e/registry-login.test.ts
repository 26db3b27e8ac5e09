import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { type BearerServer, startBearerServer } from "../support/registry/bearer-server.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { type Machine, newMachine } from "../support/registry/machine.ts";
import { mounts } from "../support/registry/request-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const password = "pass:word with ünïcödé";
const users = { user: password };

let registry: DebianRegistry;
let machine: Machine;

async function machineWithApp(): Promise<Machine> {
  const made = newMachine();
  await made.must(["-q", "-t", "app", contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "a\n" })]);
  return made;
}

const loginArguments = () => ["login", "-u", "user", "--password-stdin", registry.host];
const configFile = () => join(machine.home, ".docker/config.json");

/** The error, with names in place of what differs from run to run. */
function errorOf(stderr: string): string | undefined {
  const lines = stderr
    .replaceAll(registry.host, "HOST")
    .replace(/127\.0\.0\.1:\d+/g, "TOKENS")
    .replace(/sha256:[0-9a-f]{64}/g, "DIGEST")
    .split("\n");
  return lines.slice(lines.findIndex((line) => line.startsWith("error: "))).join("\n");
}

/** What everyone who asks for credentials has in common. `refusal` is how a wrong password is answered. */
function sharedTests(refusal: string): void {
  it("refuses an image from somebody who has not logged in", async () => {
    const { code, stderr } = await machine.run(["push", "app", `${registry.host}/team/app`]);
    expect([code, errorOf(stderr)]).toEqual([
      1,
      "error: looking for layer DIGEST in HOST/team/app: HOST answers 401 unauthorized [REGISTRY_DENIED]\n" +
        "  hint: no credentials were sent: tsbuild login HOST; many registries answer so too when the repository does not exist\n",
    ]);
  });

  it("refuses a login with a wrong password, which is not kept", async () => {
    const { code, stderr } = await machine.run(loginArguments(), { stdin: "wrong\n" });
    expect([code, errorOf(stderr)]).toEqual([
      1,
      `error: logging in to HOST: ${refusal} [REGISTRY_DENIED]\n` +
        "  hint: check the name and the password; with two-factor login, registries want an access token in place of the password\n",
    ]);
    expect(() => statSync(configFile())).toThrow("ENOENT");
  });

  it("takes a login, then images, gives them back, and refuses both after the logout", async () => {
    const name = `${registry.host}/team/app`;
    const { stdout, stderr } = await machine.run(loginArguments(), { stdin: `${password}\n` });
    expect(stdout).toBe("Login succeeded\n");
    expect(stdout + stderr).not.toContain(password);
    expect(statSync(configFile()).mode & 0o777).toBe(0o600);
    const pushed = await machine.must(["push", "app", name]);
    expect(await machine.must(["pull", name])).toBe(pushed);
    expect(await machine.must(["ls-remote", name])).toBe("latest");
    await machine.must(["logout", registry.host]);
    expect(readFileSync(configFile(), "utf8")).not.toContain(registry.host);
    expect(await machine.run(["pull", name])).toMatchObject({ code: 1 });
  });
}

describe("docker-registry with htpasswd", needs("dockerRegistry", "htpasswd"), () => {
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry"), users });
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    machine = await machineWithApp();
  });

  sharedTests("HOST answers 401 unauthorized: authentication required [UNAUTHORIZED]");

  it("is shown credentials that skopeo keeps, and skopeo those that we keep", needs("skopeo"), async () => {
    const authfile = join(machine.home, "auth.json");
    await mustRun(["skopeo", "login", "--tls-verify=false", "--authfile", authfile, "-u", "user", "--password-stdin", registry.host], {
      stdin: password,
    });
    await machine.must(["push", "--authfile", authfile, "app", `${registry.host}/shared`]);
    await machine.must(loginArguments(), { stdin: password });
    const inspect = ["skopeo", "inspect", "--tls-verify=false", "--authfile", configFile(), `docker://${registry.host}/shared`] as const;
    expect(JSON.parse(await mustRun(inspect))).toMatchObject({ RepoTags: ["latest"] });
  });

  it("is used by a build for its base and for its push", async () => {
    await machine.must(loginArguments(), { stdin: password });
    await machine.must(["push", "app", `${registry.host}/base`]);
    const context = contextDirectory({ Dockerfile: `FROM ${registry.host}/base\nCOPY b /b\n`, b: "b\n" });
    await machine.must(["-t", `${registry.host}/built`, "--push", "--pull", context]);
    expect(await machine.must(["ls-remote", `${registry.host}/built`])).toBe("latest");
  });
});

describe("docker-registry with a token server", needs("dockerRegistry", "openssl"), () => {
  let tokens: BearerServer;
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    tokens = await startBearerServer({ directory, users, publicPrefix: "public/" });
    registry = await startDebianRegistry({ directory, tokens: tokens.trust });
  });
  afterAll(() => Promise.all([registry.close(), tokens.close()]));
  beforeEach(async () => {
    machine = await machineWithApp();
  });

  sharedTests(
    "authenticating at HOST: the username or password is refused: TOKENS answers 401 unauthorized: incorrect username or password",
  );

  it("gives what is public to somebody who has not logged in", async () => {
    await machine.must(loginArguments(), { stdin: password });
    await machine.must(["push", "app", `${registry.host}/public/app`]);
    const stranger = newMachine();
    const asked = tokens.requests.length;
    await stranger.must(["pull", `${registry.host}/public/app`]);
    expect(tokens.requests.slice(asked)).toEqual([{ user: undefined, granted: true, scopes: ["repository:public/app:pull"] }]);
    expect(await stranger.run(["push", `${registry.host}/public/app`, `${registry.host}/public/other`])).toMatchObject({ code: 1 });
  });

  it("mounts from another repository, with a token for both", async () => {
    await machine.must(loginArguments(), { stdin: password });
    await machine.must(["push", "app", `${registry.host}/first`]);
    const asked = tokens.requests.length;
    const requests = await registry.requestsDuring(() => machine.must(["push", "app", `${registry.host}/second`]));
    expect(mounts(requests)).toHaveLength(1);
    expect(tokens.requests.slice(asked)).toContainEqual({
      user: "user",
      granted: true,
      scopes: ["repository:second:pull,push", "repository:first:pull"],
    });
  });
});
