import { type ByteString, decodeScan, type ScanEntry, statMany, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import { joinPath, parentPath, rootPath } from "../../store/layer/entry-path.ts";

const maxLinks = 255;

/** What a path below `root` leads to when symlinks are followed, all within the root; undefined where nothing is. Throws SYMLINK_LOOP. */
export async function follow(root: string, path: ByteString): Promise<ScanEntry | undefined> {
  let rest = components(path);
  let at = rootPath;
  let entry = await statOne(root, rootPath);
  for (let links = 0; rest.length > 0; ) {
    const [next, ...others] = rest;
    rest = others;
    if (next === "..") {
      at = parentPath(at);
      entry = await statOne(root, at);
      continue;
    }
    if (entry?.type !== "directory") return undefined;
    const below = joinPath(at, next as ByteString);
    const found = await statOne(root, below);
    if (found?.type === "symlink" && found.target !== undefined) {
      if (++links > maxLinks)
        throw new TsbuildError("SYMLINK_LOOP", `following ${textOf(path)} in the build context: too many levels of symbolic links`);
      if (found.target.startsWith("/")) at = rootPath;
      rest = [...components(found.target), ...rest];
      entry = await statOne(root, at);
      continue;
    }
    if (found === undefined) return undefined;
    at = below;
    entry = found;
  }
  return entry;
}

/** What is at exactly this path, no symlink followed. */
export async function statOne(root: string, path: ByteString): Promise<ScanEntry | undefined> {
  const [entry] = decodeScan(await statMany(root, [path], { xattrs: true }));
  return entry;
}

/** The names in a path. */
export function components(path: string): ByteString[] {
  return path.split("/").filter((part) => part !== "" && part !== ".") as ByteString[];
}
