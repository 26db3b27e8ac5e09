import type { Mutation } from "../../support/mutant.ts";

/**
 * Changes that make of the reader and the unpacker of layers a careless one: entries are taken in the archive's own order, as it names them, and symlinks and what is there already
 * are followed and replaced. Each takes one defence out.
 */
export const careless: readonly Mutation[] = [
  // Names are normalised, and ".." and a leading "/" stay.
  {
    file: "store/layer/entry-path.ts",
    from: 'if (segments.includes("..")) throw',
    to: "if (segments.length > 4096) throw",
  },
  {
    file: "store/layer/entry-path.ts",
    from: 'return segments.join("/") as ByteString;',
    to: `const kept: string[] = name.startsWith("/") ? [""] : [];
  for (const segment of segments) segment === ".." && kept.length > 0 && kept.at(-1) !== ".." ? kept.pop() : kept.push(segment);
  return kept.join("/") as ByteString;`,
  },
  {
    file: "store/layer/tar-read.ts",
    from: 'removed === "" || removed === "." || removed === ".."',
    to: 'removed === ""',
  },
  // Nothing is resolved inside the layer's root, and nothing replaces what came before.
  {
    file: "store/layer/layer-collector.ts",
    from: "  const meter = layerMeter(limits);",
    to: `  const list: unknown[] = [];
  if (over === undefined) return {
    file: (path: ByteString, inode: object) => list.push({ kind: "file", path, ...inode }),
    hardlink: (path: ByteString, target: ByteString) => list.push({ kind: "hardlink", path, target }),
    other: (entry: object) => list.push(entry),
    whiteout: (path: ByteString) => list.push({ kind: "whiteout", path }),
    opaque: (path: ByteString) => list.push({ kind: "opaque", path }),
    entries: () => list,
  } as never;
  const meter = layerMeter(limits);`,
  },
  { file: "store/layer/apply.ts", from: "withDirectories(tree.entries, lower);", to: "[...tree.entries];" },
  { file: "store/layer/apply.ts", from: "if (links.length === 0) return paths;", to: "return paths;" },
  // The kernel is not told to stay below the root.
  { file: "runtime-addon/src/addon/below.cc", from: "how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;", to: "how.resolve = 0;" },
  {
    file: "runtime-addon/src/addon/below.cc",
    from: 'if (segment.empty() || segment == "." || segment == "..") return false;',
    to: "",
  },
  // Symlinks are followed, and what is there is replaced.
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: "O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC",
    to: "O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC",
  },
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: "fstatat(place.parent, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR",
    to: "fstatat(place.parent, place.name, &status, 0) == 0 && S_ISDIR",
  },
  { file: "runtime-addon/src/addon/extract.cc", from: "if (lsetxattr(", to: "if (setxattr(" },
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: "if (symlinkat(target",
    to: "unlinkat(place.parent, place.name, 0);\n        if (symlinkat(target",
  },
  {
    file: "runtime-addon/src/addon/attributes.cc",
    from: "if (fchownat(place.parent, place.name, attributes.uid.value_or(kKeepId), attributes.gid.value_or(kKeepId), AT_SYMLINK_NOFOLLOW) != 0)",
    to: "if (fchownat(place.parent, place.name, attributes.uid.value_or(kKeepId), attributes.gid.value_or(kKeepId), is_symlink ? AT_SYMLINK_NOFOLLOW : 0) != 0)",
  },
  // Removals remove, where a layer's are files of overlay.
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: "#include <atomic>",
    to: "#include <atomic>\n#include <filesystem>\n#include <unistd.h>",
  },
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: 'if (mknodat(place.parent, place.name, S_IFCHR, makedev(0, 0)) != 0) return root_.failed("mknod", entry.path);',
    to: "{ std::error_code error; std::filesystem::remove_all(place.proc_path(), error); }",
  },
  // In the archive's order, where directories come first and hard links last.
  {
    file: "runtime-addon/src/addon/extract.cc",
    from: "kind.push_back(std::move(entry));",
    to: `(void)kind;
    if (entry.kind == EntryKind::kDirectory) {
      if (Outcome failure = extractor.make_directory(entry)) return failure;
    }
    if (is_directory) {
      if (Outcome failure = extractor.finish_directory(entry)) return failure;
    } else if (Outcome failure = entry.kind == EntryKind::kHardlink ? extractor.make_hardlink(entry) : extractor.make_leaf(entry)) {
      return failure;
    }`,
  },
];
