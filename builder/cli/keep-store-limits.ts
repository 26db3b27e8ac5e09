import { existsSync } from "node:fs";
import { isSystemError, TsbuildError } from "../../runtime-addon/index.ts";
import type { Store } from "../../store/store.ts";
import { loadSettings, type Settings } from "../config.ts";
import { formatBytes } from "../progress/measures.ts";
import type { CliIo } from "./cli-io.ts";
import { note } from "./note.ts";
import { withStoreAt } from "./open-store.ts";
import { storeRootOf } from "./store-flag.ts";

/** As withStoreMade, for what adds to the store: however it ends, the store is brought within the limits of the settings. */
export async function withLimitedStore<T>(flags: { readonly store?: string }, io: CliIo, use: (store: Store) => Promise<T>): Promise<T> {
  const settings = await loadSettings({ env: io.env });
  const root = await storeRootOf(flags, io, settings);
  try {
    return await withStoreAt(root, settings, use);
  } finally {
    await keepStoreLimits(root, settings, io);
  }
}

/** Brings the store within the limits of the settings, after something was done with it, or failed; not where the user has ended it. What goes wrong is a note: that something is done. */
export async function keepStoreLimits(root: string, settings: Settings, io: CliIo): Promise<void> {
  const { storeLimits } = settings;
  if (storeLimits === undefined || io.signal.aborted || !existsSync(root)) return;
  try {
    const [{ openStore }, { keepLimits }, { openMappedTrash }] = await Promise.all([
      import("../../store/store.ts"),
      import("../../store/gc/limits.ts"),
      import("./mapped-trash.ts"),
    ]);
    await using store = await openStore(root, settings);
    const onNote = (message: string) => note(io, message);
    await using trash = openMappedTrash(store, onNote);
    const unreadable: TsbuildError[] = [];
    const onUnreadable = (error: TsbuildError) => unreadable.push(error);
    const freed = await keepLimits(store, storeLimits, { signal: io.signal, removeTree: trash.remove, onUnreadable, onNote });
    noteUnreadable(unreadable, io);
    const { maxStoreBytes } = storeLimits;
    if (freed === undefined || maxStoreBytes === undefined || freed.storeBytes <= maxStoreBytes) return;
    note(
      io,
      `the store takes ${formatBytes(freed.storeBytes)}, and store.max_size is ${formatBytes(maxStoreBytes)}: images and what is in use take ${formatBytes(freed.heldBytes)}`,
    );
  } catch (error) {
    if (io.signal.aborted || error instanceof TsbuildError || isSystemError(error)) {
      note(io, `the store is not kept within its limits: ${(error as Error).message}`);
    } else throw error;
  }
}

function noteUnreadable([first, ...others]: readonly TsbuildError[], io: CliIo): void {
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  note(io, `the limits of the store are kept without touching any layer: ${first.message}${more}; tsbuild verify names what is damaged`);
}
