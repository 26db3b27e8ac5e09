// Builds runtime-addon/build/Release/{addon.node,tsb-init}; does nothing when they are newer than their sources.
// Arguments name the targets, addon or tsb-init; without any it is both.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "runtime-addon");
const targets = {
  addon: { output: "build/Release/addon.node", sources: "src/addon" },
  "tsb-init": { output: "build/Release/tsb-init", sources: "src/init" },
};

const libdeflate = findLibdeflate();

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(targets);
for (const name of wanted) {
  if (!Object.hasOwn(targets, name)) fail(`building the addon: unknown target "${name}", expected ${Object.keys(targets).join(" or ")}`);
}
const stale = wanted.filter(isStale);
if (stale.length > 0) {
  if (!nodeGyp("configure", ...headerOptions(), "--", `-Dlibdeflate=${libdeflate}`)) process.exit(1);
  // One by one: a target that does not compile must not keep the other from being there.
  const failed = stale.filter((name) => !build(name));
  if (failed.length > 0) fail(`building the addon: ${failed.join(" and ")} could not be built`);
}

function build(name) {
  const begun = new Date();
  if (!nodeGyp("build", "--jobs=max", name)) return false;
  writeFileSync(stampOf(name), libdeflate);
  utimesSync(stampOf(name), begun, begun);
  return true;
}

/** Says when a target was last built, and with which libdeflate: make leaves an output alone, and its time, when nothing in it would change. */
function stampOf(name) {
  return join(folder, "build", `${name}.built`);
}

function isStale(name) {
  const { output, sources } = targets[name];
  if (!existsSync(join(folder, output)) || !existsSync(stampOf(name))) return true;
  if (readFileSync(stampOf(name), "utf8") !== libdeflate) return true;
  const builtMs = statSync(stampOf(name)).mtimeMs;
  // The folder itself changes when a file is removed from it.
  const inputs = ["binding.gyp", sources, ...filesIn(sources), ...filesIn("src")];
  return inputs.some((input) => statSync(join(folder, input)).mtimeMs > builtMs);
}

/** The source files in a folder, not below it: those of src itself belong to both targets. */
function filesIn(directory) {
  const names = readdirSync(join(folder, directory)).filter((name) => /\.(cc|h)$/.test(name));
  return names.map((name) => join(directory, name));
}

/**
 * The static archive of libdeflate (Debian: libdeflate-dev), where the compiler has it, its header, and code in it that a shared library can
 * take; else "", and the addon is built without it.
 */
function findLibdeflate() {
  const compiler = process.env.CXX ?? "g++";
  const archive = (spawnSync("sh", ["-c", `${compiler} -print-file-name=libdeflate.a`], { encoding: "utf8" }).stdout ?? "").trim();
  if (!isAbsolute(archive)) return "";
  const scratch = mkdtempSync(join(tmpdir(), "tsbuild-libdeflate-"));
  try {
    const input = "#include <libdeflate.h>\nauto compress = libdeflate_gzip_compress;\n";
    const link = `${compiler} -shared -fPIC -o "$0" -x c++ - -x none "$1"`;
    return spawnSync("sh", ["-c", link, join(scratch, "probe.so"), archive], { input }).status === 0 ? realpathSync(archive) : "";
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The headers beside the node binary, whatever npm's configuration says; where there are none, node-gyp looks for them itself. */
function headerOptions() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
}

/** npm hands its settings on as variables, and node-gyp prefers those to its own command line. */
function withoutNodedir(env) {
  const isNodedir = (name) => /^npm_(config|package_config_node_gyp)_nodedir$/i.test(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !(isNodedir(name) && headerOptions().length > 0)));
}

/** Runs node-gyp in the folder, one process at a time: two builds at once would write the same files. False when it fails; it says why itself. */
function nodeGyp(...args) {
  const script = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  const command = [process.execPath, script, "--loglevel=error", ...args];
  const options = { cwd: folder, stdio: ["ignore", "inherit", "inherit"], env: withoutNodedir(process.env) };
  let { status, error } = spawnSync("flock", ["binding.gyp", ...command], options);
  if (error?.code === "ENOENT") ({ status, error } = spawnSync(command[0], command.slice(1), options));
  if (error !== undefined) throw error;
  return status === 0;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
