import { access } from "node:fs/promises";
import { TsbuildError } from "../../store/errors.ts";

/** Where distributions keep the bundle of trusted certificates. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
] as const;

const insidePath = "/dev/tsbuild/host-ca.crt";

/** Variables by which common tools are pointed at a bundle. */
const variables = [
  "SSL_CERT_FILE",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE",
  "PIP_CERT",
  "NODE_EXTRA_CA_CERTS",
  "GIT_SSL_CAINFO",
  "CARGO_HTTP_CAINFO",
  "AWS_CA_BUNDLE",
  "NIX_SSL_CERT_FILE",
] as const;

/** What makes a container see the host's certificates: a file under /dev, where no layer reaches, variables and an option that the image did not set itself. */
export interface HostCa {
  readonly source: string;
  readonly target: string;
  /** For apt, which knows none of the variables. */
  readonly aptOption: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Finds the host's bundle. Throws NO_HOST_CA where there is none. */
export async function findHostCa(): Promise<HostCa> {
  for (const source of bundles) {
    const found = await access(source).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    return {
      source,
      target: insidePath,
      aptOption: `Acquire::https::CAInfo "${insidePath}";`,
      env: Object.fromEntries(variables.map((name) => [name, insidePath])),
    };
  }
  throw new TsbuildError("NO_HOST_CA", `looking for the host's CA certificates: none of ${bundles.join(", ")} exists`, {
    hint: "install the package ca-certificates, or build without --host-ca",
  });
}
