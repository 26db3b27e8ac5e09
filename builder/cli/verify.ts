import type { StoreProblem } from "../../store/check/problem.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { openMappedTrash } from "./mapped-trash.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { readRebuild, rebuildFlags, verifyRebuild } from "./verify-rebuild.ts";

export const verify = command(
  {
    name: "verify",
    operands: "[CONTEXT]",
    summary:
      "Read all of the store and name what is damaged: blobs, images, layers, unpacked directories, records and references. The exit code is 1 when something was. With --rebuild: build an image once more and say in what the result differs.",
    flags: {
      repair: {
        help: "Remove what is damaged, and make again what can be made; images that cannot be made whole are taken off the list and named",
      },
      ...rebuildFlags,
      ...formatFlags,
      ...storeFlags,
    },
    examples: ["tsbuild verify", "tsbuild verify --repair", "tsbuild verify --rebuild app --build-arg VERSION=1 ."],
  },
  { min: 0, max: 1 },
  async ({ flags, operands, argv }, io) => {
    const image = readRebuild(flags, operands);
    if (image !== undefined) return verifyRebuild(image, { flags, context: operands[0] ?? ".", argv }, io);
    return verifyStore(flags, io);
  },
);

async function verifyStore(
  flags: FlagValues<typeof formatFlags & typeof storeFlags> & { readonly repair?: boolean },
  io: CliIo,
): Promise<number> {
  return withStore(flags, io, async (store) => {
    const { checkStore } = await import("../../store/check/check-store.ts");
    const problems = await checkStore(store, { signal: io.signal });
    const unchecked = problems.filter(({ remedy }) => remedy.do === "nothing").length;
    const repaired = flags.repair === true && problems.length > unchecked;
    const lost = [];
    const failures: Error[] = [];
    if (repaired) {
      const { repairStore } = await import("../../store/check/repair-store.ts");
      const onNote = (message: string) => note(io, message);
      await using trash = openMappedTrash(store, onNote);
      const onStays = (container: string, error: Error) => {
        onNote(`the container ${container} stays as it is: ${error.message}`);
        failures.push(error);
      };
      lost.push(...(await repairStore(store, problems, { removeTree: trash.remove, onStays, signal: io.signal })));
    }
    if (flags.format === "json") {
      const found = problems.map(({ kind, subject, problem }) => ({ kind, subject, problem }));
      io.stdout.write(formatJson({ problems: found, repaired, lostImages: lost }));
    } else {
      for (const problem of problems) io.stdout.write(`${harmless(lineOf(problem), { colors: false })}\n`);
      for (const { listed, names } of lost) {
        io.stdout.write(`${harmless(`removed the image ${names.join(", ") || listed}: pull or build it again`, { colors: false })}\n`);
      }
      const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
      const done = failures.length > 0 ? `, repaired but for ${failures.length}` : ", repaired";
      const outcome = `${count}${repaired ? done : ""}${unchecked > 0 ? `; ${unchecked} of it cannot be checked or repaired here, and stays` : ""}`;
      io.stderr.write(problems.length === 0 ? "the store is whole\n" : `${outcome}\n`);
    }
    // What ended one of them is the disk's more often than the container's.
    if (failures[0] !== undefined) throw failures[0];
    return problems.length === 0 ? 0 : 1;
  });
}

function lineOf({ kind, subject, problem }: StoreProblem): string {
  return `${kind} ${subject}: ${problem}`;
}
