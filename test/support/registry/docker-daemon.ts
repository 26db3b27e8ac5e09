import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../command.ts";
import { startService } from "./service-process.ts";

/** A Docker daemon of a test's own: nothing of it is seen or left outside of its directory. It runs no containers. */
export interface DockerDaemon extends AsyncDisposable {
  /** Runs the docker client with these arguments; returns stdout, throws with all output when it fails. */
  docker(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** Without bridge, firewall rules or forwarding, in a mount namespace of its own. Needs root, dockerd and docker. The caller closes it. */
export async function startDockerDaemon(directory: string): Promise<DockerDaemon> {
  const at = (name: string) => join(directory, name);
  const host = `unix://${at("docker.sock")}`;
  mkdirSync(at("home"));
  // Else the machine's own would be read.
  writeFileSync(at("daemon.json"), "{}");
  // Debian's own client has BuildKit built in; a newer one would want a plugin.
  const env = { PATH: `/usr/bin:${process.env.PATH}:/usr/sbin:/sbin`, HOME: at("home"), DOCKER_CONFIG: at("home"), DOCKER_BUILDKIT: "1" };
  const places = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid"), "--config-file", at("daemon.json")];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];
  const daemon = ["dockerd", "--host", host, "--storage-driver=vfs", ...places, ...network];
  const service = startService(["unshare", "--mount", "--propagation", "private", "--", ...daemon], { env });
  try {
    await service.stderr.until(/(API listen on)/);
  } catch (error) {
    await service.close();
    throw error;
  }
  return {
    docker: (...args) => mustRun(["docker", "--host", host, ...args], { env }),
    close: service.close,
    [Symbol.asyncDispose]: service.close,
  };
}
