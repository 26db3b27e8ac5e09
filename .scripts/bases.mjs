// Makes base images without a registry and imports them into a store.
//   node .scripts/bases.mjs [debian|busybox]… [--store DIR] [--no-system-packages]
//   node .scripts/bases.mjs debian|busybox --tar FILE     writes the root file system instead
//   node .scripts/bases.mjs debian|busybox --path         prints where its tar is kept
import { copyFileSync, existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { BUSYBOX_CONFIG, busyboxKey, makeBusybox } from "./base-busybox.mjs";
import { cachedTar } from "./base-cache.mjs";
import { DEBIAN_CONFIG, debianKey, makeDebian } from "./base-debian.mjs";
import { output } from "./command.mjs";
import { storeHolds } from "./store-holds.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const BASES = {
  busybox: {
    config: BUSYBOX_CONFIG,
    tar: () => cachedTar(busyboxKey(), 30, makeBusybox, warn),
  },
  debian: {
    config: DEBIAN_CONFIG,
    tar: () => {
      const key = debianKey();
      return cachedTar(key, 7, (file) => makeDebian(file, key), warn);
    },
  },
};

const CLI = fileURLToPath(new URL("../dist/tsbuild.js", import.meta.url));

/** The base's tar from the cache, made when it must be: { file, digest }. */
export function baseTar(name) {
  return BASES[name].tar();
}

/** Makes the base image and puts it under its name into the store. */
export async function importBase(name, store) {
  const started = Date.now();
  const { file, digest } = await baseTar(name);
  if (storeHolds(store, name, digest)) {
    console.log(`${name}: already there`);
    return;
  }
  checkBuilt();
  const changes = BASES[name].config.flatMap((change) => ["--change", change]);
  const imageId = output([process.execPath, "--", CLI, "import", "--store", store, ...changes, file, name]).trim();
  console.log(`${name}: imported in ${((Date.now() - started) / 1000).toFixed(1)} s as ${imageId}`);
}

function warn(message) {
  console.error(message);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      store: { type: "string" },
      tar: { type: "string" },
      path: { type: "boolean" },
      "no-system-packages": { type: "boolean" },
    },
  });
  const unknown = positionals.find((name) => !Object.hasOwn(BASES, name));
  if (unknown !== undefined) throw new Error(`unknown base "${unknown}": one of ${Object.keys(BASES).join(", ")}`);
  const isRoot = process.getuid() === 0;
  let names = positionals.length > 0 ? positionals : Object.keys(BASES);
  if (names.includes("debian")) {
    const missing = ensureSystemPackages(["demo"], values["no-system-packages"] ? { install: false } : {});
    const reason = !isRoot ? "debootstrap needs root" : missing.length > 0 ? `${missing.join(" ")} is missing` : undefined;
    if (reason !== undefined) {
      if (positionals.includes("debian")) throw new Error(`making the debian base: ${reason}`);
      console.log(`debian: left out, since ${reason}`);
      names = names.filter((name) => name !== "debian");
    }
  }
  if (values.tar !== undefined || values.path) {
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new Error("--tar and --path need exactly one base");
    const { file } = await baseTar(name);
    if (values.tar !== undefined) copyFileSync(file, resolve(values.tar));
    if (values.path) console.log(file);
    return;
  }
  const store = resolve(values.store ?? (await defaultStore()));
  for (const name of names) await importBase(name, store);
}

/** The store that the program uses when none is named. */
export async function defaultStore() {
  checkBuilt();
  const { defaultStoreRoot } = await import("../dist/store.js");
  const root = defaultStoreRoot(process.env, process.getuid());
  if (root === undefined) throw new Error("the environment names no home directory: name a store by --store DIR or TSBUILD_ROOT");
  return root;
}

function checkBuilt() {
  if (!existsSync(CLI)) throw new Error(`importing a base: ${CLI} is not built (npm run build)`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await main();
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}
