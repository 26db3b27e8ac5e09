import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

/** The path of a command: $PATH first, then the system directories, which an ordinary user's $PATH may lack. */
export function findCommand(name) {
  for (const directory of [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_DIRECTORIES]) {
    if (directory === "") continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next directory.
    }
  }
  return undefined;
}

/** Runs a command that shares our output; throws when it fails. */
export function run(argv, { cwd, env, quiet = false } = {}) {
  const [command, ...args] = argv;
  const result = spawnSync(command, args, {
    cwd,
    env: env ?? process.env,
    stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  check(argv, result);
}

/** Runs a command and returns what it wrote to stdout; throws when it fails. */
export function output(argv, { cwd, env, input } = {}) {
  const [command, ...args] = argv;
  const result = spawnSync(command, args, {
    cwd,
    env: env ?? process.env,
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  check(argv, result);
  return result.stdout;
}

/** Starts a command in the background and collects its output; `exited` settles with its exit code. */
export function start(argv, { cwd, env } = {}) {
  const [command, ...args] = argv;
  const child = spawn(command, args, {
    cwd,
    env: env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));
  const exited = new Promise((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => settle(code ?? `signal ${signal}`));
  });
  return { child, exited, text: () => Buffer.concat(chunks).toString("utf8") };
}

function check(argv, result) {
  if (result.error)
    throw new Error(`running ${argv[0]}: ${result.error.message}`, {
      cause: result.error,
    });
  if (result.status === 0) return;
  const how = result.status === null ? `signal ${result.signal}` : `exit code ${result.status}`;
  const tail = `${result.stdout ?? ""}${result.stderr ?? ""}`.trim().split("\n").slice(-20).join("\n");
  throw new Error(`running ${argv.join(" ")}: ${how}${tail === "" ? "" : `\n${tail}`}`);
}
