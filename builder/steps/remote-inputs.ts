import { basename, dirname } from "node:path";
import { bytesOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import { quotePath, rootPath } from "../../store/layer/entry-path.ts";
import type { StepCache } from "../cache/records.ts";
import { directoryContext, type ScannedSource } from "../context/directory.ts";
import type { FetchedFile, FetchedTree } from "../fetch/remote-sources.ts";
import type { GitSource, HttpSource } from "../plan/operation.ts";
import { type CopyInputs, type InputsRequest, requestDigest } from "./copy-inputs.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { keptRoots } from "./kept-roots.ts";
import { digestsOf, findSources, toCopySources } from "./scanned-inputs.ts";
import { sourceMerkles } from "./source-merkles.ts";

/** What no file of the web says of itself is as Docker has always set it. */
const webFileMode = 0o600;

/**
 * A file of the web: root's, 0600, with the time that the server gave, else 0; as with BuildKit the time counts where no checksum says what the file must be. Its digest is known, so
 * that nothing is ever hashed.
 */
export function httpInputs(fetched: FetchedFile, source: HttpSource): CopyInputs {
  const node: SourceNode = {
    kind: "file",
    path: rootPath,
    mode: webFileMode,
    uid: 0,
    gid: 0,
    mtime: fetched.lastModified ?? 0,
    mtimeNsec: 0,
    size: fetched.size,
    content: { at: "path", root: dirname(fetched.path), path: bytesOf(basename(fetched.path)) },
  };
  const dated = source.checksum === undefined ? ({ dated: true } as const) : {};
  const sources: readonly CopySource[] = [{ name: bytesOf(source.name), nodes: [node], remote: true, ...dated }];
  const merkles = () => sourceMerkles(sources, () => fetched.digest, { ignoreModes: false, ignoreOwners: false });
  return {
    knownRoots: async () => merkles(),
    sources: async () => sources,
    async merkles(given) {
      const read = given?.get(node) ?? fetched.digest;
      if (read === fetched.digest) return merkles();
      throw new TsbuildError(
        "CHECKSUM_MISMATCH",
        `copying ${quotePath(source.name)}: fetched as ${fetched.digest}, it is ${read} in the store`,
      );
    },
    saveRoots: async () => {},
    reading: (work) => work(),
  };
}

/**
 * What is in a commit, as copied from a checkout. Commits never change: where the roots are known nothing is checked out. `describe` is how errors call it: "the repository …".
 */
export function gitInputs(tree: FetchedTree, source: GitSource, request: InputsRequest, cache: StepCache, describe: string): CopyInputs {
  const { subdir = "", submodules } = source;
  const { remote, ref = null, tag = null } = tree.kept ?? {};
  const kept = remote === undefined ? null : [remote, ref, tag];
  const asked = requestDigest(request, JSON.stringify(["git", tree.commit, subdir, submodules, kept]));
  let checkout: Promise<{ readonly root: string; readonly found: readonly ScannedSource[] }> | undefined;
  const find = () => {
    checkout ??= tree
      .directory()
      .then(async (root) => ({ root, ...(await findSources(directoryContext(root, undefined, describe), request)) }));
    return checkout;
  };
  return {
    ...keptRoots(cache, asked),
    sources: async () => toCopySources((await find()).found),
    async merkles(given) {
      const { root, found } = await find();
      const digest = await digestsOf(found, root, given, { digest: () => undefined, remember: () => {} });
      return sourceMerkles(toCopySources(found), digest, request.irrelevant);
    },
    reading: (work) => work(),
  };
}
