import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as openRequest } from "node:http";
import { request as openTlsRequest } from "node:https";
import { join } from "node:path";
import type { TokenTrust } from "./bearer-server.ts";
import type { IssuedCertificate } from "./private-ca.ts";
import { startService } from "./service-process.ts";

/** Debian's docker-registry, a process of its own. */
export interface DebianRegistry extends AsyncDisposable {
  /** "127.0.0.1:40123". */
  readonly host: string;
  /** The requests that it answered while `work` ran, in the order in which it was done with them. */
  requestsDuring(work: () => Promise<unknown>): Promise<readonly LoggedRequest[]>;
  close(): Promise<void>;
}

/** A line of the registry's access log. */
export interface LoggedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  /** Length of the answer's body. */
  readonly sentBytes: number;
}

export interface DebianRegistryOptions {
  /** For its configuration and its files; it makes a folder of its own there. */
  readonly directory: string;
  /** Basic authentication: name → password. Needs htpasswd. */
  readonly users?: Readonly<Record<string, string>>;
  /** Bearer authentication by the tokens of this server. */
  readonly tokens?: TokenTrust;
  /** https only; with `client` only for those who have a certificate of the authority, as this one. */
  readonly tls?: { readonly ca: string; readonly server: IssuedCertificate; readonly client?: IssuedCertificate };
  /** A pull-through cache of the registry there ("http://127.0.0.1:1234"), read-only. */
  readonly mirrorOf?: string;
}

/** Starts it on a free port of 127.0.0.1; it listens when this resolves. Needs docker-registry. The caller closes it. */
export async function startDebianRegistry(options: DebianRegistryOptions): Promise<DebianRegistry> {
  const directory = join(options.directory, `registry-${randomUUID()}`);
  mkdirSync(directory);
  const config = join(directory, "config.json");
  writeFileSync(config, JSON.stringify(configuration(options, directory)));
  // Variables named REGISTRY_… would change the configuration.
  const service = startService(["docker-registry", "serve", config], { env: { PATH: process.env.PATH } });
  const { stdout: accessLog, stderr: ownLog, close } = service;
  try {
    const host = await ownLog.until(/listening on ([\d.]+:\d+)/);
    /** Asks for something that can be told from all else and waits until the log has it; answers where its line begins and ends. */
    const mark = async (): Promise<readonly [begin: number, end: number]> => {
      const id = randomUUID();
      await ask(host, `/v2/?mark=${id}`, options.tls);
      await accessLog.until(new RegExp(`(${id}.*\n)`));
      const at = accessLog.text().indexOf(id);
      return [accessLog.text().lastIndexOf("\n", at) + 1, accessLog.text().indexOf("\n", at) + 1];
    };
    return {
      host,
      async requestsDuring(work) {
        const [, start] = await mark();
        await work();
        const [end] = await mark();
        return accessLog
          .text()
          .slice(start, end)
          .split("\n")
          .filter((line) => line !== "")
          .map(parseLine);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function configuration({ users, tokens, tls, mirrorOf }: DebianRegistryOptions, directory: string): object {
  const { rootCertificate, ...token } = tokens ?? {};
  const auth = {
    ...(users === undefined ? {} : { htpasswd: { realm: "test", path: passwordFile(users, directory) } }),
    ...(rootCertificate === undefined ? {} : { token: { ...token, rootcertbundle: rootCertificate } }),
  };
  const certificates = tls && {
    certificate: tls.server.certFile,
    key: tls.server.keyFile,
    ...(tls.client === undefined ? {} : { clientcas: [tls.ca] }),
  };
  return {
    version: "0.1",
    storage: { filesystem: { rootdirectory: join(directory, "storage") }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:0", secret: "shared by nobody", ...(certificates && { tls: certificates }) },
    ...(Object.keys(auth).length > 0 ? { auth } : {}),
    ...(mirrorOf === undefined ? {} : { proxy: { remoteurl: mirrorOf } }),
  };
}

/** With the cheapest hashes: every request has its password checked anew. */
function passwordFile(users: Readonly<Record<string, string>>, directory: string): string {
  const lines = Object.entries(users).map(([name, password]) =>
    execFileSync("htpasswd", ["-n", "-i", "-B", "-C", "4", name], { input: password, encoding: "utf8" }),
  );
  const file = join(directory, "htpasswd");
  writeFileSync(file, lines.join(""));
  return file;
}

function ask(host: string, path: string, tls: DebianRegistryOptions["tls"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const secure = tls && {
      ca: readFileSync(tls.ca),
      ...(tls.client && { cert: readFileSync(tls.client.certFile), key: readFileSync(tls.client.keyFile) }),
    };
    const request = secure === undefined ? openRequest(`http://${host}${path}`) : openTlsRequest(`https://${host}${path}`, secure);
    request.on("response", (response) => response.resume().on("end", () => resolve()));
    request.on("error", reject);
    request.end();
  });
}

/** Apache's combined form: 127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "curl/7.88.1". */
function parseLine(line: string): LoggedRequest {
  const [, method, path, status, sentBytes] = /^[^"]*"(\S+) (\S+) [^"]*" (\d+) (\d+) /.exec(line) ?? [];
  if (method === undefined || path === undefined) throw new Error(`docker-registry's access log has an unknown form: ${line}`);
  return { method, path, status: Number(status), sentBytes: Number(sentBytes) };
}
