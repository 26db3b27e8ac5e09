import { importRootfs } from "../../store/archive/import.ts";
import { configOfChanges } from "../image-changes.ts";
import { unknownPlatform } from "../plan/known-platform.ts";
import { parsePlatform } from "../plan/platform.ts";
import { rfc3339 } from "../plan/rfc3339.ts";
import { command } from "./command.ts";
import { withLimitedStore } from "./keep-store-limits.ts";
import { note } from "./note.ts";
import { storeFlags } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";
import { readEpoch, readPlatform } from "./values.ts";

export const importImage = command(
  {
    name: "import",
    operands: "FILE|- [NAME]",
    summary:
      "Make an image of one layer from the tar of a root file system; - is standard input. It may be compressed by gzip, zstd, xz or bzip2. Without $SOURCE_DATE_EPOCH the image has no time of creation, so that the same tar always gives the same image.",
    flags: {
      change: {
        short: "c",
        value: "INSTRUCTION",
        many: true,
        help: "Dockerfile instruction for the image's configuration: 'CMD [\"sh\"]', 'ENV A=1'",
      },
      message: { short: "m", value: "TEXT", help: "Comment in the image's history" },
      platform: { value: "OS/ARCH", help: "Platform of the files (this machine's)" },
      ...storeFlags,
    },
    foreign: {
      arch: { value: true, missing: "use --platform" },
      os: { value: true, missing: "use --platform" },
      quiet: { short: "q", note: "only the image id is printed in any case" },
      variant: { value: true, missing: "use --platform" },
    },
    examples: ["tsbuild import rootfs.tar.gz debian", "tsbuild import -c ENV=A=1 - base < rootfs.tar"],
  },
  { min: 1, max: 2 },
  async ({ flags, operands: [file = "", name] }, io) => {
    if (file === "-" && io.stdin.isTTY) {
      throw new UsageError("NOT_A_FILE", "reading standard input: it is a terminal, not a tar", {
        hint: "tsbuild import - NAME < ROOTFS.tar",
      });
    }
    if (/^https?:\/\//.test(file)) {
      throw new UsageError("UNSUPPORTED_SOURCE", `importing ${file}: URLs are not supported`, {
        hint: `curl -L ${file} | tsbuild import - ${name ?? "NAME"}`,
      });
    }
    const config = configOfChanges(flags.change ?? [], "--change");
    const platform = flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
    const odd = platform === undefined ? undefined : unknownPlatform(platform);
    if (odd !== undefined) note(io, odd);
    const epoch = io.env.SOURCE_DATE_EPOCH ? readEpoch("$SOURCE_DATE_EPOCH", io.env.SOURCE_DATE_EPOCH) : undefined;
    return withLimitedStore(flags, io, async (store) => {
      const source = file === "-" ? { stream: io.stdin } : { file };
      const image = await importRootfs(store, source, {
        names: name === undefined ? [] : [name],
        config,
        ...(platform === undefined ? {} : { platform }),
        ...(epoch === undefined ? {} : { created: rfc3339(epoch * 1000) }),
        ...(flags.message === undefined ? {} : { comment: flags.message }),
        signal: io.signal,
      });
      io.stdout.write(`${image.imageId}\n`);
      return 0;
    });
  },
);
