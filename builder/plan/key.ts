import { canonicalJson } from "../../store/canonical-json.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import type { CopyOperation, RunOperation, WorkdirOperation } from "./operation.ts";

/** A leaf or branch of a key. */
export type KeyNode = string | number | boolean | null | readonly KeyNode[] | { readonly [name: string]: KeyNode };

/** Grows when the meaning of a key changes; records of other versions are not found. */
export const keyVersion = 1;

/**
 * All that decides a step's result, as a tree of named inputs. Its sha256 finds the record, and the record stores the tree,
 * so that a miss can be told from the record before by the first leaf that differs.
 *
 * Never in it: times of files, proxy variables nobody declared, host paths, values of secrets, the clock, limits, progress settings.
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

export function runKey(
  operation: RunOperation,
  context: KeyContext,
  sandbox: { owners: OwnerMode; hosts: readonly string[]; hostname: string },
): KeyTree {
  return {
    ...common("run", context),
    platform: platformText(context.platform),
    args: operation.args,
    capabilities: "default",
    cwd: operation.cwd,
    documents: operation.documents.map(({ path, content }) => ({ path, content })),
    env: operation.env,
    hostname: sandbox.hostname,
    hosts: [...sandbox.hosts],
    mounts: [],
    network: operation.network,
    owners: sandbox.owners,
    security: "sandbox",
    user: operation.user,
  };
}

/** `sources` is a Merkle root for each source that was found, with its name where that counts; how it was written does not. */
export function copyKey(operation: CopyOperation, context: KeyContext, sources: readonly Digest[]): KeyTree {
  return {
    ...common("copy", context),
    chmod: operation.chmod ?? null,
    chown: operation.chown ?? null,
    documents: operation.documents.map(({ name, content }) => ({ name, content: digestOf(content) })),
    sources: [...sources],
    target: operation.target,
    unpack: operation.unpack,
  };
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
