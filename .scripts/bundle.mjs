// Bundles the program (two files) and the libraries (one each) into dist/, with the libraries' types in dist/types. Entries whose source does
// not exist are left out, the types where --without-types is given.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");

const entries = {
  // Small, so that it starts at once; all commands but `version` are in the second file.
  tsbuild: "builder/cli/main.ts",
  commands: "builder/cli/commands.ts",
  worker: "store/directory-worker.ts",
  index: "builder/index.ts",
  store: "store/index.ts",
  runtime: "runtime-addon/index.ts",
  // Large, and loaded by the first request to a registry only.
  undici: "store/registry/undici.ts",
};

/** The entries that programs import. */
const libraries = [entries.index, entries.store, entries.runtime];

/**
 * The program's first line. A young generation of 4 MiB instead of 16 fits in a processor's cache, and what it does not hold need not be in memory: work on tens
 * of thousands of files takes 25 to 50 MB less, and no more time. "--" so that Node leaves flags behind the file to the program.
 */
const shebang = "#!/usr/bin/env -S node --min-semi-space-size=4 --max-semi-space-size=4 --";

/**
 * Static imports of Node's modules would be hoisted to the top of the one file and all be loaded at every start. As lazily evaluated
 * modules they are loaded with the first of our modules that wants them.
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
    onResolve({ filter: /.*/ }, ({ path }) => {
      if (!names.has(path) && !path.startsWith("node:")) return undefined;
      return { path: path.startsWith("node:") ? path : `node:${path}`, namespace: "builtin", sideEffects: false };
    });
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: "js",
    }));
  },
};

/** No module of ours does anything when it is loaded but the entries: what is imported and not used is dropped. */
const noSideEffects = {
  name: "no-side-effects",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^\.\.?\// }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === noSideEffects || importer.includes("node_modules") || kind === "entry-point") return undefined;
      const found = await resolve(path, { importer, kind, resolveDir, pluginData: noSideEffects });
      return found.errors.length > 0 ? found : { ...found, sideEffects: false };
    });
  },
};

/**
 * runtime-addon/index.ts only passes names on. In one lazily evaluated file whoever imports one name from it would evaluate all that it
 * passes on; so each import goes straight to the file that has the name.
 */
const directImports = {
  name: "direct-imports",
  setup({ onLoad }) {
    const index = join(root, "runtime-addon/index.ts");
    const fileOf = new Map();
    for (const [, names, file] of readFileSync(index, "utf8").matchAll(/^export (?:type )?\{([^}]*)\} from "\.\/([^"]+)";$/gm)) {
      for (const name of names.split(",")) fileOf.set(name.trim().replace(/^type /, ""), file);
    }
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path === index || path.includes("node_modules")) return undefined;
      const direct = readFileSync(path, "utf8").replace(
        /^import (type )?\{([^}]*)\} from "((?:\.\.?\/)+runtime-addon\/)index\.ts";/gm,
        (whole, type = "", names, folder) => {
          const wanted = names
            .split(",")
            .map((name) => name.trim())
            .filter((name) => name !== "");
          if (wanted.some((name) => !fileOf.has(name.replace(/^type /, "")))) return whole;
          // On one line, so that errors keep their line numbers as far as the import was on one.
          return wanted.map((name) => `import ${type}{ ${name} } from "${folder}${fileOf.get(name.replace(/^type /, ""))}";`).join(" ");
        },
      );
      return { contents: direct, loader: "ts" };
    });
  },
};

/** Makes main.ts load the commands from the file beside it. */
const commandsApart = {
  name: "commands-apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/commands\.ts$/ }, () => ({ path: "./commands.js", external: true }));
  },
};

/** The door of undici stays a file of its own, which is loaded when it is needed. */
const undiciApart = {
  name: "undici-apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/undici\.ts$/ }, () => ({ path: "./undici.js", external: true, sideEffects: false }));
  },
};

/** Writes the libraries' declarations, each file beside its like. Types are not checked here: npm run types does that. */
async function declareTypes(outDir) {
  const config = join(outDir, "../tsconfig.json");
  const compilerOptions = { noEmit: false, noCheck: true, declaration: true, emitDeclarationOnly: true, rootDir: root, outDir };
  const files = libraries.map((source) => join(root, source));
  writeFileSync(config, JSON.stringify({ extends: join(root, "tsconfig.json"), include: [], files, compilerOptions }));
  const compiler = fileURLToPath(import.meta.resolve("typescript/package.json"));
  await new Promise((settle, fail) => {
    const child = spawn(process.execPath, [join(dirname(compiler), "bin/tsc"), "-p", config], { stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", fail);
    child.on("close", (code) => (code === 0 ? settle() : fail(new Error(`tsc ended with exit code ${code}`))));
  });
  // Other compilers look for the declarations of ./x.js, not of ./x.ts.
  for (const file of readdirSync(outDir, { recursive: true, encoding: "utf8" })) {
    const path = join(outDir, file);
    if (!file.endsWith(".d.ts")) continue;
    writeFileSync(path, readFileSync(path, "utf8").replace(/((?:from |import\()"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
  }
  rmSync(config);
}

mkdirSync(dist, { recursive: true });
const staging = join(dist, `.new-${process.pid}`);
mkdirSync(staging, { recursive: true });
try {
  const types = process.argv.includes("--without-types") ? Promise.resolve() : declareTypes(join(staging, "types"));
  // Met below.
  types.catch(() => undefined);
  for (const [name, source] of Object.entries(entries)) {
    if (!existsSync(join(root, source))) {
      console.log(`dist/${name}.js: left out, ${source} does not exist`);
      continue;
    }
    const outfile = join(staging, `${name}.js`);
    await build({
      absWorkingDir: root,
      entryPoints: [source],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20.18.1",
      // Identifiers stay: error classes are named after them, and stacks are for reading.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: "none",
      // Native and optional: found in node_modules where it could be compiled.
      external: ["zlib-sync"],
      banner: name === "tsbuild" ? { js: shebang } : {},
      plugins: [...(name === "tsbuild" ? [commandsApart] : []), undiciApart, lazyBuiltins, noSideEffects, directImports],
      logLevel: "warning",
    });
  }
  await types;
  // By rename, so that a program that starts meanwhile finds whole files; a directory takes no other's place.
  if (existsSync(join(dist, "types"))) renameSync(join(dist, "types"), join(staging, ".old-types"));
  for (const file of readdirSync(staging).filter((name) => !name.startsWith("."))) {
    if (file === "tsbuild.js") chmodSync(join(staging, file), 0o755);
    renameSync(join(staging, file), join(dist, file));
    console.log(`dist/${file}`);
  }
} finally {
  rmSync(staging, { recursive: true, force: true });
}
