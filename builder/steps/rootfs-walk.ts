import type { ByteString } from "../../runtime-addon/index.ts";
import { baseName, joinPath, rootPath } from "../../store/layer/entry-path.ts";
import type { Rootfs, RootfsEntry } from "../../store/layer/rootfs.ts";
import { compilePattern, hasWildcard } from "../context/pattern.ts";
import type { Selection } from "../context/selection.ts";

/** An entry below a source. */
export interface WalkedEntry {
  readonly entry: RootfsEntry;
  /** See SourceNode. */
  readonly leads: boolean;
}

/** Everything below a directory that the selection takes, with the directories on the way to it; no symlink is followed. */
export function* walkSelected(rootfs: Rootfs, top: ByteString, selection: Selection | undefined): Generator<WalkedEntry> {
  if (selection === undefined) {
    for (const entry of rootfs.walk(top)) yield { entry, leads: false };
    return;
  }
  const cut = top === "" ? 0 : top.length + 1;
  /** `passed`: the directories above that nothing has been taken below yet. */
  function* below(directory: ByteString, passed: RootfsEntry[]): Generator<WalkedEntry> {
    for (const entry of rootfs.list(directory)) {
      const path = entry.path.slice(cut) as ByteString;
      const isTaken = selection?.takes(path) ?? true;
      if (isTaken) {
        for (const parent of passed.splice(0)) yield { entry: parent, leads: true };
        yield { entry, leads: false };
      }
      if (entry.kind !== "directory" || (!isTaken && !selection?.mayTakeBelow(path))) continue;
      if (!isTaken) passed.push(entry);
      yield* below(entry.path, passed);
      if (!isTaken && passed.at(-1) === entry) passed.pop();
    }
  }
  yield* below(top, []);
}

/** Paths that match a pattern, name by name: `*` does not cross "/", and links to directories are not entered. */
export function matchPaths(rootfs: Rootfs, pattern: ByteString): readonly ByteString[] {
  const parts = pattern.split("/").filter((part) => part !== "") as ByteString[];
  let matched: readonly ByteString[] = [rootPath];
  let isLiteral = true;
  for (const [index, part] of parts.entries()) {
    isLiteral &&= !hasWildcard(part);
    const isLast = index === parts.length - 1;
    const find = isLiteral ? literally(rootfs, part) : byPattern(rootfs, part);
    matched = matched
      .flatMap(find)
      .filter((entry) => isLast || entry.kind === "directory")
      .map(({ path }) => path);
  }
  return matched;
}

function literally(rootfs: Rootfs, name: ByteString): (directory: ByteString) => readonly RootfsEntry[] {
  return (directory) => {
    const entry = rootfs.lookup(joinPath(directory, name));
    return entry === undefined ? [] : [entry];
  };
}

function byPattern(rootfs: Rootfs, pattern: ByteString): (directory: ByteString) => readonly RootfsEntry[] {
  const matches = compilePattern(pattern);
  return (directory) => rootfs.list(directory).filter(({ path }) => matches(baseName(path)));
}
