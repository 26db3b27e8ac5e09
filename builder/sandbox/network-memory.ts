import { readFileSync, statSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../store/store.ts";

/** So long a refusal counts: what was missing may have come, and a machine may just have been busy. */
const keptMs = 3_600_000;

/** What a refusal depends on: another kernel, program or user may have it otherwise. */
interface Memory {
  readonly of: string;
  readonly atMs: number;
  readonly why: string;
}

/** Why the last try to make a network failed here; undefined where none did of late. */
export async function rememberedRefusal(store: Store, program: string, ownUsers: boolean): Promise<string | undefined> {
  try {
    const { of, atMs, why } = JSON.parse(await readFile(memoryFile(store), "utf8")) as Memory;
    const age = Date.now() - atMs;
    return of === circumstances(program, ownUsers) && age >= 0 && age < keptMs ? why : undefined;
  } catch {
    // No memory, or one that cannot be read: it is tried again.
    return undefined;
  }
}

export async function rememberRefusal(store: Store, program: string, ownUsers: boolean, why: string): Promise<void> {
  const memory: Memory = { of: circumstances(program, ownUsers), atMs: Date.now(), why };
  try {
    const file = await store.tempFile("network");
    await writeFile(file, JSON.stringify(memory), { mode: 0o600 });
    await rename(file, memoryFile(store));
  } catch {
    // The next one tries, and fails, for itself.
  }
}

function memoryFile(store: Store): string {
  return join(store.root, "v1", "network");
}

/** `ownUsers`: the network belongs to a user namespace made for the sandboxes. */
function circumstances(program: string, ownUsers: boolean): string {
  const { mtimeMs, size } = statSync(program);
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return [boot, process.getuid?.(), ownUsers ? "own users" : "as we are", program, mtimeMs, size].join(" ");
}
