import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { RegistryError } from "./registry-error.ts";
import type { RegistrySettings } from "./settings.ts";

/** What a server's certificate is checked against, and what we show of ourselves. Both contexts show the same. */
export interface TlsIdentity {
  /** Trusts who most likely signed: the host's own authorities where some are named, else those that Node brings (NODE_EXTRA_CA_CERTS among them). */
  readonly likely: SecureContext;
  /** Trusts everybody who is to be trusted: also the system's authorities, which take tens of milliseconds to read. Made once. */
  complete(): Promise<SecureContext>;
}

/** Where systems keep the authorities that they trust (Debian and Alpine, Fedora, openSUSE, BSD-like). The first that exists is read. */
export const systemBundles: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** PEM texts of one host. */
interface Material {
  readonly authorities: readonly string[];
  readonly pairs: readonly { readonly certificate: string; readonly key: string }[];
}

/**
 * Reads what the settings and the certs.d folders have for a host, which may have several names ("docker.io" and "registry-1.docker.io").
 * Throws CERTIFICATE_UNREADABLE with the file's name, and REGISTRY_PROTOCOL for a host that has no name.
 */
export async function tlsIdentity(
  names: readonly string[],
  settings: Pick<RegistrySettings, "hosts" | "certificateDirectories">,
  bundles: readonly string[] = systemBundles,
): Promise<TlsIdentity> {
  for (const name of names) checkHost(name);
  const folders = settings.certificateDirectories.flatMap((directory) => names.map((name) => join(directory, name)));
  const found = await Promise.all([...names.map((name) => ofSettings(name, settings)), ...folders.map(ofFolder)]);
  const authorities = found.flatMap((material) => material.authorities);
  const pairs = found.flatMap((material) => material.pairs);
  const own = pairs.length === 0 ? {} : { cert: pairs.map(({ certificate }) => certificate), key: pairs.map(({ key }) => key) };
  let complete: Promise<SecureContext> | undefined;
  return {
    likely: createSecureContext(authorities.length === 0 ? own : { ...own, ca: authorities }),
    complete: () => {
      complete ??= systemAuthorities(bundles).then((system) =>
        createSecureContext({ ...own, ca: [...new Set([...rootCertificates, ...system, ...authorities])] }),
      );
      return complete;
    },
  };
}

/** A registry may name any host in its answers, ".." too, which is one to URLs and would be another folder here. */
function checkHost(name: string): void {
  const labels = name
    .replace(/:\d+$/, "")
    .replace(/(?<=.)\.$/, "")
    .split(".");
  if (name.includes("/") || labels.includes("")) throw new RegistryError("REGISTRY_PROTOCOL", `connecting to "${name}": that is no host`);
}

async function ofSettings(name: string, { hosts }: Pick<RegistrySettings, "hosts">): Promise<Material> {
  const { ca, clientCertificate, clientKey } = hosts[name] ?? {};
  const authorities = ca === undefined ? [] : await certificatesIn(ca);
  if (clientCertificate === undefined && clientKey === undefined) return { authorities, pairs: [] };
  if (clientCertificate === undefined || clientKey === undefined) {
    const [given = "", lacking] = clientKey === undefined ? [clientCertificate, "client_key"] : [clientKey, "client_certificate"];
    throw unreadable(given, `[registry.host."${name}"] has no ${lacking} for it`);
  }
  return { authorities, pairs: [await pairOf(clientCertificate, clientKey)] };
}

/** A folder of Docker's certs.d: *.crt are authorities, each *.cert is a client's certificate with its key in *.key. */
async function ofFolder(folder: string): Promise<Material> {
  const names = await namesIn(folder);
  const certificates = names.filter((name) => name.endsWith(".cert"));
  const orphan = names.find((name) => name.endsWith(".key") && !names.includes(name.replace(/\.key$/, ".cert")));
  if (orphan !== undefined) throw unreadable(join(folder, orphan), `there is no ${orphan.replace(/\.key$/, ".cert")} beside it`);
  const authorities = await Promise.all(names.filter((name) => name.endsWith(".crt")).map((name) => certificatesIn(join(folder, name))));
  const pairs = certificates.map((name) => {
    const key = name.replace(/\.cert$/, ".key");
    if (!names.includes(key)) throw unreadable(join(folder, name), `there is no ${key} beside it`);
    return pairOf(join(folder, name), join(folder, key));
  });
  return { authorities: authorities.flat(), pairs: await Promise.all(pairs) };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw unreadable(folder, reasonOf(error), error);
  }
}

async function certificatesIn(file: string): Promise<readonly string[]> {
  const blocks = pemCertificates(await textOf(file));
  if (blocks.length === 0) throw unreadable(file, "it holds no certificate (PEM)");
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw unreadable(file, `a certificate in it is broken (${reasonOf(error)})`);
    }
  }
  return blocks;
}

async function pairOf(certificateFile: string, keyFile: string): Promise<Material["pairs"][number]> {
  const [certificate, key] = await Promise.all([textOf(certificateFile), textOf(keyFile)]);
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    // No cause: what OpenSSL read of a key has no place in an error.
    throw unreadable(certificateFile, `it does not go with the key ${keyFile} (${reasonOf(error)})`);
  }
  return { certificate, key };
}

async function systemAuthorities(bundles: readonly string[]): Promise<readonly string[]> {
  for (const file of bundles) {
    try {
      return pemCertificates(await readFile(file, "latin1"));
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
  return [];
}

function pemCertificates(text: string): readonly string[] {
  return text.replaceAll("\r\n", "\n").match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "latin1");
  } catch (error) {
    throw unreadable(file, reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (isSystemError(error)) return error.code;
  const { reason, message } = error as { readonly reason?: unknown; readonly message?: unknown };
  return String(reason ?? message);
}

function unreadable(file: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError("CERTIFICATE_UNREADABLE", `reading the certificate ${file}: ${why}`, cause === undefined ? {} : { cause });
}
