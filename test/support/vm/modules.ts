import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A kernel module and where its file lies. */
export interface KernelModule {
  readonly name: string;
  readonly file: string;
}

/**
 * The modules of `wanted` that lie below `directory`, and all that these depend on, in an order in which they can be loaded. A name that
 * is not there is left out: then it is built into the kernel.
 */
export function modulesToLoad(directory: string, wanted: readonly string[]): KernelModule[] {
  const files = new Map(
    readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ko"))
      .map((path) => [moduleName(basename(path, ".ko")), join(directory, path)]),
  );
  const ordered = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const file = files.get(moduleName(name));
    if (file === undefined || ordered.has(moduleName(name))) return;
    for (const dependency of dependenciesOf(file)) visit(dependency);
    ordered.set(moduleName(name), { name: moduleName(name), file });
  };
  for (const name of wanted) visit(name);
  return [...ordered.values()];
}

/** The kernel takes "-" and "_" for the same. */
function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** From the module's own .modinfo section, whose strings end in NUL. */
function dependenciesOf(file: string): string[] {
  const [, list = ""] = /\0depends=([^\0]*)\0/.exec(readFileSync(file, "latin1")) ?? [];
  return list.split(",").filter((name) => name !== "");
}
