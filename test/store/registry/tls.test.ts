import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TsbuildError } from "../../../store/errors.ts";
import { tlsIdentity } from "../../../store/registry/tls.ts";
import { needs } from "../../support/needs.ts";
import { privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./http-fixtures.ts";

const settings = { hosts: {}, certificateDirectories: [] };

describe("the files of a host", needs("openssl"), () => {
  let made: { readonly ca: string; readonly certFile: string; readonly keyFile: string; readonly otherKey: string } | undefined;
  function files() {
    if (made === undefined) {
      const authority = privateAuthority(temporaryDirectory("tls"));
      made = { ca: authority.ca, ...authority.issue("client"), otherKey: authority.issue("other").keyFile };
    }
    return made;
  }

  /** A certs.d directory with a folder for "host:5000" that holds copies of these files, or texts. */
  function certsD(content: Readonly<Record<string, string | Buffer>>): string {
    const directory = temporaryDirectory("certs");
    mkdirSync(join(directory, "host:5000"));
    for (const [name, text] of Object.entries(content)) writeFileSync(join(directory, "host:5000", name), text);
    return directory;
  }

  it("may be missing", async () => {
    const identity = await tlsIdentity(["host:5000"], { hosts: {}, certificateDirectories: ["/nowhere", files().ca] }, ["/nowhere"]);
    expect(await identity.complete()).toBe(await identity.complete());
  });

  it("are those of Docker's certs.d: authorities, and certificates with keys; others are passed over", async () => {
    const { ca, certFile, keyFile } = files();
    const directory = certsD({
      "a.crt": readFileSync(ca),
      "b.crt": Buffer.concat([readFileSync(ca), readFileSync(certFile)]),
      "me.cert": readFileSync(certFile),
      "me.key": readFileSync(keyFile),
      README: "nothing",
    });
    await tlsIdentity(["docker.io", "host:5000"], { hosts: {}, certificateDirectories: [directory] });
  });

  const broken: readonly (readonly [name: string, content: () => Readonly<Record<string, string | Buffer>>, file: string, why: string])[] =
    [
      ["a certificate without its key", () => ({ "me.cert": readFileSync(files().certFile) }), "me.cert", "there is no me.key beside it"],
      ["a key without its certificate", () => ({ "me.key": readFileSync(files().keyFile) }), "me.key", "there is no me.cert beside it"],
      ["an empty authority", () => ({ "ca.crt": "" }), "ca.crt", "it holds no certificate (PEM)"],
    ];

  it.each(broken)("%s is an error that names the file", async (_name, content, file, why) => {
    const directory = certsD(content());
    const error = await failureOf(tlsIdentity(["host:5000"], { hosts: {}, certificateDirectories: [directory] }));
    expect(error).toBeInstanceOf(TsbuildError);
    expect(error).toMatchObject({
      code: "CERTIFICATE_UNREADABLE",
      message: `reading the certificate ${join(directory, "host:5000", file)}: ${why}`,
    });
  });

  it("a broken certificate is an error that names the file", async () => {
    const directory = certsD({ "ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" });
    const error = await failureOf(tlsIdentity(["host:5000"], { hosts: {}, certificateDirectories: [directory] }));
    expect(String(error)).toMatch(/^TsbuildError: reading the certificate .*\/host:5000\/ca\.crt: a certificate in it is broken \(.+\)$/);
  });

  it("a key of another certificate is an error that names both, and holds nothing of the key", async () => {
    const { certFile, otherKey } = files();
    const hosts = { "host:5000": { clientCertificate: certFile, clientKey: otherKey } };
    const error = await failureOf(tlsIdentity(["host:5000"], { ...settings, hosts }));
    expect(error).toMatchObject({ code: "CERTIFICATE_UNREADABLE" });
    expect((error as TsbuildError).cause).toBeUndefined();
    expect(String(error)).toContain(`reading the certificate ${certFile}: it does not go with the key ${otherKey} (`);
  });

  it.each([
    ["clientCertificate", "client_key"],
    ["clientKey", "client_certificate"],
  ] as const)("%s alone is an error", async (given, lacking) => {
    const file = given === "clientKey" ? files().keyFile : files().certFile;
    const error = await failureOf(tlsIdentity(["host:5000"], { ...settings, hosts: { "host:5000": { [given]: file } } }));
    expect(error).toMatchObject({
      code: "CERTIFICATE_UNREADABLE",
      message: `reading the certificate ${file}: [registry.host."host:5000"] has no ${lacking} for it`,
    });
  });

  it("that the settings name and that are not there are an error", async () => {
    const error = await failureOf(tlsIdentity(["host:5000"], { ...settings, hosts: { "host:5000": { ca: "/nowhere/ca.pem" } } }));
    expect(error).toMatchObject({ code: "CERTIFICATE_UNREADABLE", message: "reading the certificate /nowhere/ca.pem: ENOENT" });
  });

  it("of the system need not be readable", async () => {
    const directory = temporaryDirectory("bundle");
    const bundle = join(directory, "ca.crt");
    copyFileSync(files().ca, bundle);
    chmodSync(bundle, 0);
    await (await tlsIdentity(["host"], settings, [directory, bundle])).complete();
  });

  it.each(["", ".", "..", "..:5000", "a..b", ".a", "../etc"])("attack: %j as a host, which leads to another folder", async (name) => {
    const directory = certsD({});
    const error = await failureOf(tlsIdentity(["host:5000", name], { hosts: {}, certificateDirectories: [join(directory, "host:5000")] }));
    expect(error).toMatchObject({ code: "REGISTRY_PROTOCOL", message: `connecting to "${name}": that is no host` });
  });

  it.each(["registry.example.", "[::1]:5000", "my_bucket.storage.example"])("%s is a host", async (name) => {
    await tlsIdentity([name], settings);
  });
});
