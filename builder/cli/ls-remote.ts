import { TsbuildError } from "../../runtime-addon/index.ts";
import type { Descriptor } from "../../store/oci.ts";
import { fullName, isTag, type Reference } from "../../store/reference.ts";
import { noSuchImageHint, RegistryError } from "../../store/registry/registry-error.ts";
import { currentDigest } from "../../store/registry/remote-image.ts";
import type { Repository } from "../../store/registry/repository.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson, jsonList } from "./format-flag.ts";
import { explainingNames, hubHint } from "./name-hint.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { readRemoteName } from "./remote-name.ts";
import { formatTable } from "./table.ts";
import { UsageError } from "./usage-error.ts";

type Format = "table" | "json" | undefined;

interface TagRow {
  readonly tag: string;
  readonly digest?: string;
}

export const lsRemote = command(
  {
    name: "ls-remote",
    operands: "REPOSITORY",
    summary: "List the tags of a registry's repository, or with --referrers what is attached to one of its images.",
    flags: {
      digests: { help: "Print also what each tag means, which asks the registry for each" },
      referrers: { help: "List the manifests that refer to the image NAME[:TAG|@DIGEST]: signatures, SBOMs and others" },
      "artifact-type": { value: "TYPE", help: "Of the referrers only those of this type" },
      ...formatFlags,
      ...registryFlags,
    },
    examples: [
      "tsbuild ls-remote debian",
      "tsbuild ls-remote --digests ghcr.io/owner/app",
      "tsbuild ls-remote --referrers host:5000/app:v1",
    ],
  },
  { min: 1, max: 1 },
  async ({ flags, operands: [text = ""] }, io) => {
    const reference = readRemoteName(text);
    if (flags["artifact-type"] !== undefined && !flags.referrers)
      throw new UsageError("INVALID_VALUE", "reading --artifact-type: it needs --referrers");
    await using registry = await openRegistryFor(flags, io);
    const repository = registry.repository(reference);
    await explainingNames([text], hubHint, () => {
      if (flags.referrers) return listReferrers(repository, reference, flags["artifact-type"], flags.format, io);
      if (namesOne(text)) return listOne(repository, reference, flags.format, io);
      return listTags(repository, flags.digests ?? false, flags.format, io);
    });
    return 0;
  },
);

/** Whether a tag or a digest was written, not only meant. */
function namesOne(text: string): boolean {
  return text.includes("@") || text.lastIndexOf(":") > text.lastIndexOf("/");
}

async function listOne(repository: Repository, reference: Reference, format: Format, io: CliIo): Promise<void> {
  const digest = await currentDigest(repository, reference, { signal: io.signal });
  if (digest === undefined)
    throw new RegistryError("REGISTRY_NOT_FOUND", `looking for ${fullName(reference)}: the registry has no such image`, {
      hint: noSuchImageHint,
    });
  const tag = reference.digest === undefined ? reference.tag : undefined;
  if (format === "json") io.stdout.write(formatJson([{ ...(tag === undefined ? {} : { tag }), digest }]));
  else io.stdout.write(formatTable(["TAG", "DIGEST"], [[tag ?? "", digest]]));
}

/** Long lists appear as they come; a table with digests must know its widths first. */
async function listTags(repository: Repository, withDigests: boolean, format: Format, io: CliIo): Promise<void> {
  const pages = tagPages(repository, io.signal);
  if (format === "json") {
    const list = jsonList(io.stdout);
    if (withDigests) for await (const row of tagRows(repository, pages, io.signal)) list.add([row]);
    else for await (const tags of pages) list.add(tags);
    list.end();
  } else if (withDigests) {
    const cells: string[][] = [];
    for await (const { tag, digest = "" } of tagRows(repository, pages, io.signal)) cells.push([shown(tag), digest]);
    io.stdout.write(formatTable(["TAG", "DIGEST"], cells));
  } else {
    for await (const tags of pages) io.stdout.write(tags.map((tag) => `${shown(tag)}\n`).join(""));
  }
}

/** Far beyond what repositories hold, and little enough to be kept. */
const mostTags = 1_000_000;
const longestTag = 128;

/** All tags, page by page. Throws TOO_LARGE for more than `mostTags`; a text that is longer than a tag can be counts as several. */
async function* tagPages(repository: Repository, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  let count = 0;
  for await (const tags of repository.tags({ signal })) {
    for (const tag of tags) count += Math.max(1, Math.ceil(tag.length / longestTag));
    if (count > mostTags)
      throw new TsbuildError("TOO_LARGE", `listing the tags of ${repository.registry}/${repository.name}: there are more than ${mostTags}`);
    yield tags;
  }
}

/** Each tag with what it means. A text that cannot be a tag means nothing, and is not asked for. */
async function* tagRows(repository: Repository, pages: AsyncIterable<readonly string[]>, signal: AbortSignal): AsyncGenerator<TagRow> {
  for await (const tags of pages) {
    for (const tag of tags) {
      const digest = isTag(tag) ? (await repository.resolve(tag, { signal }))?.digest : undefined;
      yield { tag, ...(digest === undefined ? {} : { digest }) };
    }
  }
}

async function listReferrers(
  repository: Repository,
  reference: Reference,
  artifactType: string | undefined,
  format: Format,
  io: CliIo,
): Promise<void> {
  const subject = await currentDigest(repository, reference, { signal: io.signal });
  if (subject === undefined)
    throw new RegistryError("REGISTRY_NOT_FOUND", `listing referrers of ${fullName(reference)}: the registry has no such image`, {
      hint: noSuchImageHint,
    });
  const found = await repository.referrers(subject, { signal: io.signal, ...(artifactType === undefined ? {} : { artifactType }) });
  if (format === "json") io.stdout.write(formatJson(found));
  else io.stdout.write(formatTable(["DIGEST", "TYPE", "SIZE"], found.map(referrerRow)));
}

function referrerRow({ digest, artifactType, mediaType, size }: Descriptor): string[] {
  return [digest, shown(artifactType ?? mediaType), formatBytes(size)];
}

/** What a registry says goes to a terminal. */
function shown(text: string): string {
  return harmless(text, { colors: false });
}
