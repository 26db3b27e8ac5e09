import { familiarName } from "../../store/reference.ts";
import { attachArtifact, isMediaType } from "../../store/registry/attach.ts";
import { rfc3339 } from "../plan/rfc3339.ts";
import { rewriteNotes } from "../rewrite-note.ts";
import { command } from "./command.ts";
import { explainingNames, hubHint } from "./name-hint.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { readRemoteName } from "./remote-name.ts";
import { showTransfers } from "./transfers.ts";
import { UsageError } from "./usage-error.ts";
import { invalid, readAnnotations, readEpoch } from "./values.ts";

export const attach = command(
  {
    name: "attach",
    operands: "--artifact-type TYPE NAME FILE…",
    summary:
      "Attach files to an image of a registry, as an artifact that refers to it: an SBOM, a signature, a report. Without $SOURCE_DATE_EPOCH it has no time of creation, so that the same files always make the same artifact. Prints the artifact's name with its digest.",
    flags: {
      annotation: { value: "KEY=VALUE", many: true, help: "Annotation of the artifact" },
      "artifact-type": { value: "TYPE", help: "What it is, as a media type: application/spdx+json" },
      "media-type": { value: "TYPE", help: "Media type of the files (application/octet-stream)" },
      quiet: { short: "q", help: "Show no progress" },
      ...registryFlags,
    },
    examples: ["tsbuild attach --artifact-type application/spdx+json registry.example/app:v1 app.spdx.json"],
  },
  { min: 2, max: Number.POSITIVE_INFINITY },
  async ({ flags, operands: [name = "", ...paths] }, io) => {
    const subject = readRemoteName(name);
    const artifactType = readMediaType("--artifact-type", flags["artifact-type"]);
    const mediaType = readMediaType("--media-type", flags["media-type"] ?? "application/octet-stream");
    const annotations = readAnnotations(flags.annotation ?? []);
    const epoch = io.env.SOURCE_DATE_EPOCH ? readEpoch("$SOURCE_DATE_EPOCH", io.env.SOURCE_DATE_EPOCH) : undefined;
    const files = paths.map((path) => ({ path, mediaType }));
    const artifact = { artifactType, files, annotations, ...(epoch === undefined ? {} : { created: rfc3339(epoch * 1000) }) };
    await using registry = await openRegistryFor(flags, io);
    const { digest } = await showTransfers(io, flags, ({ onEvent, onNote }) => {
      rewriteNotes(registry, [subject]).forEach(onNote);
      return explainingNames([name], hubHint, () => attachArtifact(registry, subject, artifact, { signal: io.signal, onEvent }));
    });
    io.stdout.write(`${familiarName({ registry: subject.registry, repository: subject.repository, digest })}\n`);
    return 0;
  },
);

function readMediaType(flag: string, text: string | undefined): string {
  if (text === undefined)
    throw new UsageError("MISSING_VALUE", `reading the command line: attach needs ${flag}`, {
      hint: `of an SBOM: ${flag} application/spdx+json`,
    });
  if (!isMediaType(text)) throw invalid(flag, text, "is no media type", "write it as application/spdx+json");
  return text;
}
