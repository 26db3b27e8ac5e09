import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output, run } from "./command.mjs";

const SOURCES = "/etc/apt";

/**
 * The repositories of the machine's own distribution, as apt reads them from its source files, that answer and ask for no
 * password: [{ uri, suite, codename, components, keyring }]. `keyring` is absent where the source names none. Others (of vendors, of
 * companies) do not belong in a base image.
 */
export function distributionRepositories(distribution) {
  const format = "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)";
  const lines = output(["apt-get", "indextargets", "--format", format, "Created-By: Packages"]).trim().split("\n");
  const repositories = new Map();
  for (const line of [...new Set(lines)].sort()) {
    const [uri, suite, component] = line.split("\t");
    if (uri === undefined || suite === undefined || component === undefined) continue;
    const key = `${uri} ${suite}`;
    const known = repositories.get(key) ?? {
      uri: firstMirror(uri),
      suite,
      components: [],
      keyring: keyringOf(uri),
    };
    known.components.push(component);
    repositories.set(key, known);
  }
  return [...repositories.values()].flatMap((repository) => {
    if (/^[a-z+]+:\/\/[^/]*@/.test(repository.uri)) return [];
    const release = releaseFile(repository);
    if (release === undefined || field(release, "Origin") !== distribution) return [];
    return [
      {
        ...repository,
        codename: field(release, "Codename"),
        date: Math.floor(Date.parse(field(release, "Date")) / 1000),
      },
    ];
  });
}

function field(release, name) {
  return new RegExp(`^${name}: (.*)$`, "m").exec(release)?.[1] ?? "";
}

/** The signed release file, fetched with apt's own settings (proxies, certificates); undefined when the repository does not answer. */
function releaseFile({ uri, suite }) {
  const work = mkdtempSync(join(tmpdir(), "tsbuild-release-"));
  try {
    const file = join(work, "InRelease");
    run(["/usr/lib/apt/apt-helper", "-q", "download-file", `${uri}dists/${suite}/InRelease`, file], { quiet: true });
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** mirror+file: sources hold a list of addresses; the first one is what a tool that is not apt can use. */
function firstMirror(uri) {
  const list = /^mirror\+file:(.*?)\/?$/.exec(uri)?.[1];
  if (list === undefined) return uri;
  const first = readFileSync(list, "utf8")
    .split("\n")
    .map((line) => line.split("\t")[0].trim())
    .find((line) => line !== "" && !line.startsWith("#"));
  if (first === undefined) throw new Error(`reading apt's sources: ${list} names no mirror`);
  return first.endsWith("/") ? first : `${first}/`;
}

function keyringOf(uri) {
  const bare = uri.replace(/\/$/, "");
  for (const stanza of sourceTexts().flatMap((text) => text.split(/\n\s*\n|\n(?=deb)/))) {
    if (!stanza.includes(bare)) continue;
    const keyring = /^Signed-By:\s*(\/\S+)/im.exec(stanza)?.[1] ?? /signed-by=(\/[^\],\s]+)/.exec(stanza)?.[1];
    if (keyring !== undefined && existsSync(keyring)) return keyring;
  }
  return undefined;
}

function sourceTexts() {
  const directory = join(SOURCES, "sources.list.d");
  const files = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => /\.(list|sources)$/.test(name))
        .map((name) => join(directory, name))
    : [];
  return [join(SOURCES, "sources.list"), ...files].filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8"));
}
