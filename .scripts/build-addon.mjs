// Builds runtime-addon/build/Release/{addon.node,tsb-init}; does nothing when they are newer than their sources.
// Arguments name the targets, addon or tsb-init; without any it is both.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "runtime-addon");
const targets = {
  addon: { output: "build/Release/addon.node", sources: "src/addon" },
  "tsb-init": { output: "build/Release/tsb-init", sources: "src/init" },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(targets);
for (const name of wanted) {
  if (!Object.hasOwn(targets, name)) fail(`building the addon: unknown target "${name}", expected ${Object.keys(targets).join(" or ")}`);
}
const stale = wanted.filter(isStale);
if (stale.length > 0) {
  nodeGyp("configure", ...headerOptions());
  // One by one: a target that does not compile must not keep the other from being there.
  for (const name of stale) nodeGyp("build", "--jobs=max", name);
}

function isStale(name) {
  const { output, sources } = targets[name];
  if (!existsSync(join(folder, output))) return true;
  const builtMs = statSync(join(folder, output)).mtimeMs;
  // The folder itself changes when a file is removed from it.
  const inputs = ["binding.gyp", sources, ...readdirSync(join(folder, sources)).map((file) => join(sources, file))];
  return inputs.some((input) => statSync(join(folder, input)).mtimeMs > builtMs);
}

/** The headers beside the node binary, whatever npm's configuration says; where there are none, node-gyp looks for them itself. */
function headerOptions() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
}

/** Runs node-gyp in the folder, one process at a time: two builds at once would write the same files. */
function nodeGyp(...args) {
  const script = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  const command = [process.execPath, script, ...args, "--loglevel=error"];
  const options = { cwd: folder, stdio: ["ignore", "inherit", "inherit"] };
  let { status, signal, error } = spawnSync("flock", ["binding.gyp", ...command], options);
  if (error?.code === "ENOENT") ({ status, signal, error } = spawnSync(command[0], command.slice(1), options));
  if (error !== undefined) throw error;
  if (status !== 0) fail(`building the addon: node-gyp ${args[0]} ended with ${signal ?? `exit code ${status}`}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
