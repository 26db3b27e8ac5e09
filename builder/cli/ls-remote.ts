import type { Descriptor } from "../../store/oci.ts";
import { fullName, type Reference } from "../../store/reference.ts";
import { noSuchImageHint, RegistryError } from "../../store/registry/registry-error.ts";
import { currentDigest } from "../../store/registry/remote-image.ts";
import type { Repository } from "../../store/registry/repository.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { explainingNames, hubHint } from "./name-hint.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { readRemoteName } from "./remote-name.ts";
import { formatTable } from "./table.ts";
import { UsageError } from "./usage-error.ts";

type Format = "table" | "json" | undefined;

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

async function listTags(repository: Repository, withDigests: boolean, format: Format, io: CliIo): Promise<void> {
  const rows: { tag: string; digest?: string }[] = [];
  for await (const tags of repository.tags({ signal: io.signal })) {
    // Long lists appear as they come; a table with digests must know its widths first.
    if (format !== "json" && !withDigests) io.stdout.write(tags.map((tag) => `${shown(tag)}\n`).join(""));
    rows.push(...tags.map((tag) => ({ tag })));
  }
  if (withDigests) {
    for (const row of rows) {
      const digest = (await repository.resolve(row.tag, { signal: io.signal }))?.digest;
      if (digest !== undefined) row.digest = digest;
    }
  }
  if (format === "json") io.stdout.write(formatJson(withDigests ? rows : rows.map(({ tag }) => tag)));
  else if (withDigests)
    io.stdout.write(
      formatTable(
        ["TAG", "DIGEST"],
        rows.map(({ tag, digest = "" }) => [shown(tag), digest]),
      ),
    );
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
