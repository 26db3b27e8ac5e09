import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findCommand, run } from "./command.mjs";

/**
 * Downloads a package from the machine's own repositories into a directory below `work` and returns its file. Needs no root. With
 * `architecture` it is that of another machine, of which the package manager here need not know.
 */
export function downloadPackage(name, work, architecture) {
  if (findCommand("apt-get") === undefined || findCommand("dpkg-deb") === undefined) {
    throw new Error(`downloading ${name}: apt-get and dpkg-deb are needed`);
  }
  const download = join(work, `download-${name}`);
  mkdirSync(download);
  const fetch = (options) => run(["apt-get", ...options, "-q", "download", name], { cwd: download, quiet: true });
  if (architecture !== undefined) fetch(privateLists(work, architecture));
  else {
    try {
      fetch([]);
    } catch {
      // A new machine has no package lists, or old ones; if that is not the cause, the second attempt says what is.
      fetch(privateLists(work));
    }
  }
  const [archive] = readdirSync(download).filter((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new Error(`downloading ${name}: apt-get download left no package`);
  return join(download, archive);
}

/** Unpacks one path of a package below `target`; throws where the package has none of that name. */
export function unpackPath(archive, path, target) {
  mkdirSync(target, { recursive: true });
  const script = 'dpkg-deb --fsys-tarfile "$0" | tar --extract --directory="$1" "./$2"';
  run(["sh", "-c", script, archive, target, path], { quiet: true });
  return join(target, path);
}

/** Neither an ordinary user nor another architecture may change the machine's package lists: these go to a directory of our own. Returns apt's options for it. */
function privateLists(work, architecture) {
  const lists = join(work, "lists");
  mkdirSync(join(lists, "partial"), { recursive: true });
  mkdirSync(join(work, "cache", "archives", "partial"), { recursive: true });
  const settings = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${join(work, "cache")}`,
    ...(architecture === undefined ? [] : [`APT::Architecture=${architecture}`, `APT::Architectures=${architecture}`]),
  ];
  const options = settings.flatMap((setting) => ["-o", setting]);
  run(["apt-get", ...options, "-q", "update"], { quiet: true });
  return options;
}
