import { readFileSync, statSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../store/store.ts";

/** So long a refusal counts: what was missing may have come, and a machine may just have been busy. */
const keptMs = 3_600_000;

/** What a machine may refuse: a network apart from its own, or only the namespace that would lie between that and pasta. The names of files. */
export type Refused = "network" | "network-router";

/** What a refusal depends on besides the machine, and where it is remembered. */
export interface NetworkPlace {
  readonly store: Store;
  /** Path of pasta. */
  readonly program: string;
  /** The network belongs to a user namespace made for the sandboxes. */
  readonly ownUsers: boolean;
}

interface Memory {
  /** Another kernel, program or user may have it otherwise. */
  readonly of: string;
  readonly atMs: number;
  readonly why: string;
}

/** Why the last try to make it failed here; undefined where none did of late. */
export async function rememberedRefusal(refused: Refused, place: NetworkPlace): Promise<string | undefined> {
  try {
    const { of, atMs, why } = JSON.parse(await readFile(memoryFile(refused, place), "utf8")) as Memory;
    const age = Date.now() - atMs;
    return of === circumstances(place) && age >= 0 && age < keptMs ? why : undefined;
  } catch {
    // No memory, or one that cannot be read: it is tried again.
    return undefined;
  }
}

export async function rememberRefusal(refused: Refused, place: NetworkPlace, why: string): Promise<void> {
  const memory: Memory = { of: circumstances(place), atMs: Date.now(), why };
  try {
    const file = await place.store.tempFile("network");
    await writeFile(file, JSON.stringify(memory), { mode: 0o600 });
    await rename(file, memoryFile(refused, place));
  } catch {
    // The next one tries, and fails, for itself.
  }
}

function memoryFile(refused: Refused, { store }: NetworkPlace): string {
  return join(store.root, "v1", refused);
}

function circumstances({ program, ownUsers }: NetworkPlace): string {
  const { mtimeMs, size } = statSync(program);
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return [boot, process.getuid?.(), ownUsers ? "own users" : "as we are", program, mtimeMs, size].join(" ");
}
