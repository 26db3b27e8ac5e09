import { canonicalJson } from "../../store/canonical-json.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import type { CopyOperation, CopyWord, RunMount, RunOperation, WorkdirOperation } from "./operation.ts";

/** A leaf or branch of a key. */
export type KeyNode = string | number | boolean | null | readonly KeyNode[] | { readonly [name: string]: KeyNode };

/** Grows when the meaning of a key changes; records of other versions are not found. */
export const keyVersion = 3;

/**
 * All that decides a step's result, as a tree of named inputs. Its sha256 finds the record, and the record stores the tree,
 * so that a miss can be told from the record before by the first leaf that differs.
 *
 * Never in it: times of files other than those of the web, proxy variables nobody declared, host paths, values of secrets, the clock, limits, progress settings.
 */
export type KeyTree = { readonly [name: string]: KeyNode };

/** What every step's key holds besides its operation. */
export interface KeyContext {
  /** The chain of contents below the step. */
  readonly parent: Digest;
  /** Only RUN depends on it: files are the same for every platform. */
  readonly platform: Platform;
  /** Version of the tar writer: other bytes, other layers. */
  readonly writer: number;
  /** Seconds. */
  readonly epoch?: number;
}

/** `binds`: a digest for each bind mount, in order, of what it shows. The operation's host name goes before the sandbox's; `security` is what differs from Docker's defaults. */
export function runKey(
  operation: RunOperation,
  context: KeyContext,
  sandbox: { owners: OwnerMode; hosts: readonly string[]; hostname: string; security?: KeyNode },
  binds: readonly Digest[],
): KeyTree {
  const contents = [...binds];
  return {
    ...common("run", context),
    platform: platformText(context.platform),
    args: operation.args,
    capabilities: sandbox.security ?? "default",
    cwd: operation.cwd,
    documents: operation.documents.map(({ path, content }) => ({ path, content })),
    env: operation.env,
    hostname: operation.hostname ?? sandbox.hostname,
    hosts: [...sandbox.hosts],
    mounts: operation.mounts.map((mount) => mountKey(mount, mount.type === "bind" ? contents.shift() : undefined)),
    network: operation.network,
    owners: sandbox.owners,
    security: operation.security,
    user: operation.user,
  };
}

/** What a mount is to the command, but for what it cannot rely on: contents of caches, values of secrets, and which cache it is. */
function mountKey(mount: RunMount, content: Digest | undefined): KeyNode {
  const { type, target = null } = mount;
  switch (mount.type) {
    case "bind":
      if (content === undefined) throw new RangeError(`the content of the mount on ${mount.target} is not known`);
      return { type, target, content, readOnly: mount.readOnly };
    case "cache":
      return { type, target, readOnly: mount.readOnly, ...ownedKey(mount) };
    case "tmpfs":
      return { type, target, sizeBytes: mount.sizeBytes ?? null };
    case "secret":
      return { type, target, id: mount.id, env: mount.env ?? null, ...ownedKey(mount) };
    case "ssh":
      return { type, target, id: mount.id, ...ownedKey(mount) };
  }
}

function ownedKey({ mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number }): {
  readonly [name: string]: KeyNode;
} {
  return { mode, uid, gid };
}

/** A source that was found, as a key has it. */
export interface KeySource {
  /** Its Merkle root, with its name where that counts. */
  readonly root: Digest;
  /** A file of the web is unpacked or not by another rule than what comes from the origin or a repository. */
  readonly remote?: true;
}

/** `sources`: each that was found, in order; how they were written does not count. */
export function copyKey(operation: CopyOperation, context: KeyContext, sources: readonly KeySource[]): KeyTree {
  return {
    ...common("copy", context),
    chmod: operation.chmod ?? null,
    chown: operation.chown ?? null,
    documents: operation.documents.map(({ name, content }) => ({ name, content: digestOf(content) })),
    exclude: [...operation.exclude],
    parents: operation.parents,
    sources: sources.map(({ root, remote }) => (remote ? { remote: root } : root)),
    target: operation.target,
    unpack: { local: operation.unpack.local, remote: operation.unpack.remote },
  };
}

/** The words as texts that tell them apart, for operationDigest. */
export function wordTexts(words: readonly CopyWord[]): readonly string[] {
  return words.map(wordText);
}

function wordText(word: CopyWord): string {
  switch (word.kind) {
    case "path":
      return word.path;
    case "http":
      return word.url;
    case "git":
      return JSON.stringify([word.remote, word.ref ?? null, word.subdir ?? null, word.keepGitDir, word.submodules]);
  }
}

export function workdirKey(operation: WorkdirOperation, context: KeyContext): KeyTree {
  return { ...common("workdir", context), path: operation.path, user: operation.user };
}

export function keyDigest(tree: KeyTree): Digest {
  return digestOf(canonicalJson(tree));
}

/**
 * Names the operation apart from what it stands on and reads: how earlier records of "the same step" are found. `words` are its sources as
 * written, which tell two COPY to one target apart although they are no part of the key.
 */
export function operationDigest(tree: KeyTree, words: readonly string[] = []): Digest {
  const { parent: _parent, sources: _sources, ...operation } = tree;
  return keyDigest({ ...operation, words });
}

/** The chain that a step's children stand on: the parent's chain and the content of this step's layer. */
export function childChain(parent: Digest, content: Digest): Digest {
  return digestOf(`${parent} ${content}`);
}

/** The chain of a base: its diffIds, which its config names, so that it is the same wherever the base came from. */
export function baseChain(diffIds: readonly Digest[]): Digest {
  return diffIds.reduce(childChain, digestOf(""));
}

function common(op: string, context: KeyContext): KeyTree {
  return {
    epoch: context.epoch ?? null,
    op,
    parent: context.parent,
    version: keyVersion,
    writer: context.writer,
  };
}
