import { isAbsolute, resolve } from "node:path";
import type { Settings } from "../config.ts";
import type { CliIo } from "./cli-io.ts";
import type { FlagTable } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

/** On every command that uses the store. */
export const storeFlags = {
  store: {
    value: "DIR",
    named: true,
    help: "The store's directory ($TSBUILD_ROOT; else /var/lib/tsbuild for root, $XDG_DATA_HOME/tsbuild for others)",
  },
} as const satisfies FlagTable;

/**
 * The store's directory, absolute: the flag, else the environment, else the settings, else the default. Throws UsageError NO_STORE where
 * nothing says where a user's data belongs, INVALID_VALUE where the environment's is relative.
 */
export async function storeRootOf(flags: { readonly store?: string }, io: CliIo, settings: Settings): Promise<string> {
  refuseRelativeRoot(flags, io.env);
  const given = flags.store || io.env.TSBUILD_ROOT || settings.storeRoot;
  if (given !== undefined) return resolve(given);
  const { defaultStoreRoot } = await import("../../store/store-paths.ts");
  const usual = defaultStoreRoot(io.env, io.uid);
  if (usual === undefined)
    throw new UsageError("NO_STORE", "finding the store: $HOME is not set", { hint: "give its directory: --store DIR or $TSBUILD_ROOT" });
  return usual;
}

/** Else each directory would have a store of its own. Throws UsageError INVALID_VALUE. */
export function refuseRelativeRoot(flags: { readonly store?: string }, { TSBUILD_ROOT: root }: CliIo["env"]): void {
  if (flags.store || !root || isAbsolute(root)) return;
  throw new UsageError("INVALID_VALUE", `reading $TSBUILD_ROOT: "${root}" is not an absolute path`, { hint: `write ${resolve(root)}` });
}
