import { type GitServer, startGitServer } from "../git-server.ts";
import { startHttpFiles } from "../http-files.ts";
import { type Files, type Served, textOf } from "./case.ts";
import { tarOf } from "./context-files.ts";

/** Where a row's files can be fetched. */
export interface Servers extends AsyncDisposable {
  /** The text with "{http}" and "{git}" as addresses: "http://127.0.0.1:PORT", "http://127.0.0.1:PORT/repository.git". */
  addressed(text: string): string;
}

/** Starts what the row wants and nothing else. The caller disposes it. */
export async function startServers({ http, git }: Served): Promise<Servers> {
  const stops: (() => Promise<void>)[] = [];
  const addresses = new Map<string, string>();
  if (http !== undefined) {
    const [address, stop] = await serveFiles(http);
    addresses.set("{http}", address);
    stops.push(stop);
  }
  if (git !== undefined) {
    const server = await startGitServer();
    stops.push(() => server.close());
    await commitAll(server, git);
    addresses.set("{git}", server.url("repository"));
  }
  return {
    addressed: (text) => [...addresses].reduce((all, [name, address]) => all.replaceAll(name, address), text),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
    },
  };
}

async function serveFiles(files: NonNullable<Served["http"]>): Promise<[address: string, stop: () => Promise<void>]> {
  const server = await startHttpFiles();
  for (const [path, { text, tar, headers, lastModified }] of Object.entries(files)) {
    const body = tar === undefined ? textOf(text ?? "") : await tarOf(tar);
    server.serve(path, { body, ...(headers === undefined ? {} : { headers }), ...(lastModified === undefined ? {} : { lastModified }) });
  }
  return [`http://${server.host}`, () => server.close()];
}

async function commitAll(server: GitServer, commits: Readonly<Record<string, Files>>): Promise<void> {
  for (const [tag, files] of Object.entries(commits)) {
    const texts = Object.entries(files).map(([path, file]) => {
      if (typeof file === "string") return [path, file] as const;
      if (file.symlink !== undefined) return [path, { link: file.symlink }] as const;
      const text = textOf(file.text ?? "");
      return [path, file.mode === "755" ? { executable: text } : text] as const;
    });
    const commit = await server.commit("repository", Object.fromEntries(texts));
    await server.git("repository", ["tag", tag, commit]);
  }
}
