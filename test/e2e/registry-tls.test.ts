import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { type Machine, newMachine, settingsFile } from "../support/registry/machine.ts";
import { type IssuedCertificate, type PrivateAuthority, privateAuthority } from "../support/registry/private-ca.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let authority: PrivateAuthority;
let client: IssuedCertificate;
/** https with a certificate of the private authority; the second one wants a certificate of its clients too. */
let registry: DebianRegistry;
let strict: DebianRegistry;

const settingsOf = (host: string, lines: readonly string[]) => [`[registry.host."${host}"]`, ...lines, ""].join("\n");

/** Pushes an image there; answers the exit code and the error, with names in place of what differs from run to run. */
async function push(machine: Machine, host: string, ...flags: readonly string[]): Promise<readonly [code: number, error: string]> {
  await machine.must(["-q", "-t", "app", contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "a\n" })]);
  const { code, stderr } = await machine.run(["push", ...flags, "app", `${host}/app`]);
  const lines = stderr
    .replaceAll(host, "HOST")
    .replace(/sha256:[0-9a-f]{64}/g, "DIGEST")
    .split("\n");
  return [code, lines.find((line) => line.startsWith("error: ")) ?? ""];
}

function copyTo(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, from] of Object.entries(files)) copyFileSync(from, join(directory, name));
}

describe("docker-registry with a certificate of a private authority", needs("dockerRegistry", "openssl"), () => {
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    authority = privateAuthority(directory);
    client = authority.issue("client");
    const tls = { ca: authority.ca, server: authority.issue("server") };
    [registry, strict] = await Promise.all([
      startDebianRegistry({ directory, tls }),
      startDebianRegistry({ directory, tls: { ...tls, client } }),
    ]);
  });
  afterAll(() => Promise.all([registry.close(), strict.close()]));

  it("is not trusted as it is, on this machine's own address either", async () => {
    expect(await push(newMachine(), registry.host)).toEqual([
      1,
      "error: looking for layer DIGEST in HOST/app: HOST: its certificate is signed by an unknown authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE) [REGISTRY_TLS]",
    ]);
  });

  it("is trusted with ca in tsbuild.toml", async () => {
    const machine = newMachine();
    machine.write(settingsFile, settingsOf(registry.host, [`ca = "${authority.ca}"`]));
    expect(await push(machine, registry.host)).toEqual([0, ""]);
  });

  it.each([".docker/certs.d", ".config/containers/certs.d"])("is trusted with a *.crt in ~/%s", async (folder) => {
    const machine = newMachine();
    copyTo(join(machine.home, folder, registry.host), { "private.crt": authority.ca });
    expect(await push(machine, registry.host)).toEqual([0, ""]);
  });

  it("is not asked for its certificate where it is insecure", async () => {
    const machine = newMachine();
    machine.write(settingsFile, settingsOf(registry.host, ["insecure = true"]));
    expect(await push(machine, registry.host)).toEqual([0, ""]);
    expect(await push(newMachine(), registry.host, "--tls-verify=false")).toEqual([0, ""]);
  });

  it("gives base images", async () => {
    const machine = newMachine();
    machine.write(settingsFile, settingsOf(registry.host, [`ca = "${authority.ca}"`]));
    await push(machine, registry.host);
    await machine.must(["--pull", contextDirectory({ Dockerfile: `FROM ${registry.host}/app\nCOPY b /b\n`, b: "b\n" })]);
  });

  it("wants a certificate of its clients: refused without", async () => {
    const machine = newMachine();
    machine.write(settingsFile, settingsOf(strict.host, [`ca = "${authority.ca}"`]));
    expect(await push(machine, strict.host)).toEqual([
      1,
      "error: looking for layer DIGEST in HOST/app: HOST: it refuses our side of TLS (ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE) [REGISTRY_TLS]",
    ]);
  });

  it("wants a certificate of its clients: client_certificate and client_key in tsbuild.toml", async () => {
    const machine = newMachine();
    const lines = [`ca = "${authority.ca}"`, `client_certificate = "${client.certFile}"`, `client_key = "${client.keyFile}"`];
    machine.write(settingsFile, settingsOf(strict.host, lines));
    expect(await push(machine, strict.host)).toEqual([0, ""]);
  });

  it("wants a certificate of its clients: *.cert and *.key in certs.d", async () => {
    const machine = newMachine();
    const files = { "private.crt": authority.ca, "client.cert": client.certFile, "client.key": client.keyFile };
    copyTo(join(machine.home, ".docker/certs.d", strict.host), files);
    expect(await push(machine, strict.host)).toEqual([0, ""]);
  });
});
