import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The benchmark itself runs synchronously, so all servers are processes of their own.
const PROXY = fileURLToPath(new URL("counting-proxy.mjs", import.meta.url));

const started = [];

/**
 * Debian's docker-registry on a free port of 127.0.0.1, with its files below `place`: { host, clear() }. `clear` leaves it empty, without deleting
 * anything. It ends with stopServers().
 */
export function startRegistry(place) {
  if (spawnSync("docker-registry", ["--version"]).error !== undefined) throw new Error("docker-registry is not installed");
  const directory = join(place, "registry");
  const storage = join(directory, "storage");
  mkdirSync(directory);
  const [port] = freePorts(1);
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    // Without a cache: what `clear` moves away must be gone for the registry too.
    storage: { filesystem: { rootdirectory: storage }, maintenance: { uploadpurging: { enabled: false } } },
    http: { addr: `127.0.0.1:${port}` },
  };
  const file = join(directory, "config.json");
  writeFileSync(file, JSON.stringify(config));
  start("docker-registry", ["serve", file], join(directory, "log"), [port]);
  let cleared = 0;
  return {
    host: `127.0.0.1:${port}`,
    clear() {
      if (existsSync(storage)) renameSync(storage, `${storage}-${++cleared}`);
    },
  };
}

/** A way to a server that counts: { host, take() }; `take` answers { sent, received }, the bytes since it was last asked. */
export function startCountingProxy(place, host) {
  const target = host.split(":")[1];
  const [port, control] = freePorts(2);
  start(process.execPath, [PROXY, port, control, target].map(String), join(place, "proxy-log"), [port, control]);
  const ask =
    'let text = ""; require("net").connect(process.argv[1], "127.0.0.1").on("data", (data) => (text += data)).on("end", () => console.log(text))';
  const take = () => JSON.parse(execFileSync(process.execPath, ["-e", ask, String(control)], { encoding: "utf8" }));
  // Looking whether it listens opened a connection.
  take();
  return { host: `127.0.0.1:${port}`, take };
}

export function stopServers() {
  for (const child of started.splice(0)) child.kill();
}

function start(command, args, log, ports) {
  const fd = openSync(log, "w");
  const child = spawn(command, args, { stdio: ["ignore", fd, fd] });
  // That it does not start shows below: nothing listens.
  child.on("error", () => undefined);
  started.push(child);
  const wait = `const { connect } = require("net");
    const end = Date.now() + 10000;
    const look = (port) => connect(port, "127.0.0.1").on("connect", function () { this.destroy(); }).on("error", (error) => {
      if (Date.now() > end) { console.error(error.message); process.exit(1); }
      setTimeout(look, 20, port);
    });
    process.argv.slice(1).forEach(look);`;
  execFileSync(process.execPath, ["-e", wait, ...ports.map(String)], { stdio: ["ignore", "ignore", "pipe"] });
}

function freePorts(count) {
  const script = `const { createServer } = require("net");
    const servers = Array.from({ length: ${count} }, () => createServer().listen(0, "127.0.0.1"));
    setImmediate(() => { console.log(JSON.stringify(servers.map((server) => server.address().port))); process.exit(); });`;
  return JSON.parse(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }));
}
