import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { isDirImage } from "../../store/archive/archive-content.ts";
import { type LoadSource, loadImages } from "../../store/archive/load.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { withLimitedStore } from "./keep-store-limits.ts";
import { note } from "./note.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";

export const load = command(
  {
    name: "load",
    operands: "[FILE|DIR|-]",
    summary:
      "Take all images of an archive (OCI's or docker save's, plain or compressed) or of an OCI image layout directory into the store, with their names, or the image of a directory of podman save --format docker-dir. Without FILE the archive comes from standard input.",
    flags: {
      input: { short: "i", value: "FILE|DIR", help: "The same as the operand" },
      ...platformFlags,
      quiet: { short: "q", help: "Print image ids only" },
      ...storeFlags,
    },
    foreign: {
      "disable-content-trust": { note: "content trust is not used" },
    },
    examples: ["tsbuild load app.tar", "tsbuild load layout/", "zcat app.tar.gz | tsbuild load"],
  },
  { min: 0, max: 1 },
  ({ flags, operands: [operand] }, io) => {
    if (operand !== undefined && flags.input !== undefined)
      throw new UsageError("WRONG_OPERANDS", `reading the command line: load takes --input ${flags.input} or ${operand}, not both`);
    const source = sourceOf(operand ?? flags.input ?? "-", io);
    const options = { platform: platformOfFlag(flags), signal: io.signal, onNote: (message: string) => note(io, message) };
    return withLimitedStore(flags, io, async (store) => {
      for (const { names, imageId } of await loadImages(store, source, options)) {
        io.stdout.write(flags.quiet ? `${imageId}\n` : `loaded ${harmless([...names, imageId].join(" "), { colors: false })}\n`);
      }
      return 0;
    });
  },
);

function sourceOf(path: string, io: CliIo): LoadSource {
  if (path === "-") {
    if (io.stdin.isTTY)
      throw new UsageError("NOT_A_FILE", "reading standard input: it is a terminal, not an archive", { hint: "tsbuild load FILE" });
    return { stream: io.stdin };
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new TsbuildError("NOT_FOUND", `loading ${path}: there is no such file or directory`);
  if (!found.isDirectory()) return { file: path };
  if (existsSync(join(path, "oci-layout")) || isDirImage(path)) return { directory: path };
  throw new TsbuildError("NOT_FOUND", `loading ${path}: it has no file oci-layout, so this is no OCI image layout`, {
    hint: `if it is the context of a build: tsbuild build ${path}`,
  });
}
