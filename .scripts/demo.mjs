// Makes a base image, builds the sample application on it, runs it and fetches a page from it.
// As an ordinary user the small busybox sample takes its place, since the Debian base needs root.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { defaultStore, importBase } from "./bases.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));
const CLI = fileURLToPath(new URL("../dist/tsbuild.js", import.meta.url));

const SAMPLES = {
  debian: { context: "fixtures/node-app", build: ["--host-ca"], run: [], path: "/", expected: "Hello from an image made by tsbuild" },
  // Root inside is the user who runs this; the sample's own user exists only where there is a range of sub-ids.
  busybox: { context: "fixtures/busybox-app", build: [], run: ["-u", "0"], path: "/", expected: "Hello from busybox" },
};

async function main() {
  const noPackages = process.argv.includes("--no-system-packages");
  const missing = ensureSystemPackages(["demo"], noPackages ? { install: false } : {});
  const isRoot = process.getuid() === 0;
  const base = isRoot && missing.length === 0 ? "debian" : "busybox";
  if (base === "busybox") {
    const why = isRoot ? `without ${missing.join(" ")}` : "as an ordinary user";
    console.log(`${why}: the busybox sample instead of the Debian one (for that: sudo npm run demo)`);
  }
  const { context, build, run, path, expected } = SAMPLES[base];
  await importBase(base, await defaultStore());
  console.log(`\n$ tsbuild -t app ${[...build, context].join(" ")}`);
  await finished(tsbuild(["-t", "app", ...build, context]));

  const port = await freePort();
  // Where the container has the host's network, the server inside needs a port that is free there.
  const args = ["run", "--rm", ...run, "-e", `PORT=${port}`, "-p", `${port}:${port}`, "app"];
  console.log(`\n$ tsbuild ${args.join(" ")}`);
  const container = tsbuild(args);
  const ended = finished(container, ["SIGTERM"]);
  try {
    const text = await fetchWhenUp(`http://127.0.0.1:${port}${path}`, ended);
    console.log(`\n$ curl http://127.0.0.1:${port}${path}\n${text.trimEnd()}\n`);
    if (!text.includes(expected)) throw new Error(`the page does not hold "${expected}"`);
  } finally {
    container.kill("SIGTERM");
    await ended;
  }
  console.log("It works. Next: tsbuild images, tsbuild history app, tsbuild run --rm -it app sh, tsbuild -t NAME YOUR-DIRECTORY");
  console.log(`(tsbuild is dist/tsbuild.js here; npm link puts it on the path)`);
}

function tsbuild(args) {
  return spawn(process.execPath, ["--", CLI, ...args], { cwd: CHECKOUT, stdio: ["ignore", "inherit", "inherit"] });
}

/** Settles when the child is gone; fails unless it ended well, or by one of the signals that we sent. */
function finished(child, signals = []) {
  return new Promise((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      const stopped = signals.some((name) => signal === name || code === 143);
      if (code === 0 || stopped) settle();
      else fail(new Error(`tsbuild ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

function freePort() {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => settle(port));
    });
  });
}

async function fetchWhenUp(url, ended) {
  let gone = false;
  const watch = () => {
    gone = true;
  };
  ended.then(watch, watch);
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(`${url} answers ${response.status}`);
      return await response.text();
    } catch (error) {
      if (gone) throw new Error("the container ended before it answered");
      if (Date.now() > deadline) throw new Error(`${url} does not answer: ${error.cause?.message ?? error.message}`);
      await new Promise((settle) => setTimeout(settle, 100));
    }
  }
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
