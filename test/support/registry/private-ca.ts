import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate and its key: paths of the PEM files, and what is in them. */
export interface IssuedCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority that no system trusts. */
export interface PrivateAuthority {
  /** Path of its certificate. */
  readonly ca: string;
  /** Signs a certificate for a server or a client; `alternatives` are its names as openssl writes them. */
  issue(name: string, alternatives?: string): IssuedCertificate;
}

/** Makes an authority whose files are in `directory`. Everything is good for two days. Needs openssl. */
export function privateAuthority(directory: string, name = "private ca"): PrivateAuthority {
  const ca = join(directory, "ca.crt");
  const caKey = join(directory, "ca.key");
  openssl("req", "-x509", ...newKey, "-keyout", caKey, "-out", ca, "-days", "2", "-subj", `/CN=${name}`);
  return {
    ca,
    issue(leaf, alternatives = "IP:127.0.0.1,DNS:localhost") {
      const [request, extensions, certFile, keyFile] = ["csr", "ext", "cert", "key"].map((kind) => join(directory, `${leaf}.${kind}`)) as [
        string,
        string,
        string,
        string,
      ];
      writeFileSync(extensions, `subjectAltName=${alternatives}\n`);
      openssl("req", ...newKey, "-keyout", keyFile, "-out", request, "-subj", `/CN=${leaf}`);
      const signer = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial"];
      openssl("x509", "-req", "-in", request, ...signer, "-days", "2", "-extfile", extensions, "-out", certFile);
      return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    },
  };
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
