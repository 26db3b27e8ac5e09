import { renameSync, rmSync } from "node:fs";
import { run } from "./command.mjs";

/**
 * Packs a root directory into a tar at `file` (by rename): sorted names, numeric owners, no access or change times, and no
 * modification time later than `epoch` (seconds). The same tree gives the same bytes.
 */
export function packRootfs(root, file, { epoch, owners, exclude = [] }) {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    run(
      [
        "tar",
        "--create",
        `--file=${temporary}`,
        "--format=pax",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--sort=name",
        `--mtime=@${epoch}`,
        "--clamp-mtime",
        "--numeric-owner",
        ...(owners === "root" ? ["--owner=0", "--group=0"] : []),
        "--xattrs",
        "--xattrs-include=*",
        ...exclude.map((pattern) => `--exclude=${pattern}`),
        `--directory=${root}`,
        ".",
      ],
      // Names sort by bytes, and TAR_OPTIONS of the caller must not add to ours.
      {
        env: { ...process.env, LC_ALL: "C", TZ: "UTC", TAR_OPTIONS: "" },
        quiet: true,
      },
    );
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}
