import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { mustRun } from "./command.ts";
import { closeServer, listenLocally } from "./registry/local-server.ts";
import { temporaryDirectory } from "./temporary.ts";

/** One file of a commit; undefined takes away what the commit before has. */
export type CommitFile =
  | string
  | Uint8Array
  | { readonly executable: string }
  | { readonly link: string }
  /** The commit that a submodule stands for; .gitmodules is a file like others. */
  | { readonly submodule: string }
  | undefined;

export interface CommitOptions {
  /** Absent: "main". */
  readonly branch?: string;
  /** Seconds since the epoch. Absent: 1,700,000,000, and one more for each commit. */
  readonly time?: number;
}

export interface GitServer {
  /** "127.0.0.1:PORT". */
  readonly host: string;
  /** "http://127.0.0.1:PORT/name.git". */
  url(name: string): string;
  /** A commit on top of the branch, whose repository is made when it is not there; answers its name. */
  commit(name: string, files: Readonly<Record<string, CommitFile>>, options?: CommitOptions): Promise<string>;
  /** Runs git in the bare repository; answers what it writes, trimmed. */
  git(name: string, args: readonly string[], input?: string | Uint8Array): Promise<string>;
  /** "GET /app.git/info/refs", without queries. */
  readonly requests: string[];
  /** The headers Authorization of all requests, "" where there is none. */
  readonly authorizations: string[];
  /** Who comes without this header is told so by 401 from now on. */
  guard(header: string | undefined): void;
  /** All requests are redirected there, to the same path, from now on: "http://127.0.0.1:PORT". */
  redirect(origin: string | undefined): void;
  /** Answers the next requests with these statuses. */
  fail(...statuses: readonly number[]): void;
  /** How repositories are handed out from now on: by git's own protocol (so at first), as the files that they are, or not at all, without ever an answer. */
  answer(how: "smart" | "dumb" | "never"): void;
  /** Resolves when this many requests have come. */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Repositories over http on the loopback interface, by git's own http-backend. Needs git. */
export async function startGitServer(): Promise<GitServer> {
  const root = temporaryDirectory("git-server");
  const requests: string[] = [];
  const failures: number[] = [];
  const waiting = new Set<() => void>();
  let how: "smart" | "dumb" | "never" = "smart";
  let clock = 1_700_000_000;
  const authorizations: string[] = [];
  let wanted: string | undefined;
  let elsewhere: string | undefined;

  const server = createServer((request, response) => {
    requests.push(`${request.method} ${(request.url ?? "").replace(/\?.*$/, "")}`);
    const { authorization = "" } = request.headers;
    authorizations.push(authorization);
    for (const look of waiting) look();
    const failure = failures.shift();
    if (failure !== undefined) response.writeHead(failure).end();
    else if (elsewhere !== undefined) response.writeHead(302, { location: `${elsewhere}${request.url}` }).end();
    else if (wanted !== undefined && authorization !== wanted) response.writeHead(401, { "www-authenticate": "Basic" }).end(authorization);
    else if (how !== "never") backend(root, how === "smart", request, response);
  });
  const host = `127.0.0.1:${await listenLocally(server)}`;
  const bare = (name: string) => join(root, `${name}.git`);
  const run = async (cwd: string, args: readonly string[], input: string | Uint8Array = "") =>
    (await mustRun(["git", ...args], { cwd, env: ownEnvironment(clock), stdin: input })).trim();

  return {
    host,
    url: (name) => `http://${host}/${name}.git`,
    async commit(name, files, { branch = "main", time } = {}) {
      const work = join(root, "work", name, branch);
      clock = time ?? clock + 1;
      if (!existsSync(bare(name))) {
        await run(root, ["init", "--quiet", "--bare", "--initial-branch=main", bare(name)]);
      }
      if (!existsSync(work)) {
        await run(root, ["clone", "--quiet", bare(name), work]);
        await run(work, ["checkout", "--quiet", "-B", branch]);
      }
      for (const [path, file] of Object.entries(files)) await write(work, path, file, run);
      await run(work, ["commit", "--quiet", "--allow-empty", "--message", `at ${clock}`]);
      await run(work, ["push", "--quiet", "--force", "origin", `HEAD:refs/heads/${branch}`]);
      await run(bare(name), ["update-server-info"]);
      return run(work, ["rev-parse", "HEAD"]);
    },
    async git(name, args, input) {
      const output = await run(bare(name), args, input);
      await run(bare(name), ["update-server-info"]);
      return output;
    },
    requests,
    authorizations,
    guard: (header) => {
      wanted = header;
    },
    redirect: (origin) => {
      elsewhere = origin;
    },
    fail: (...statuses) => void failures.push(...statuses),
    answer: (now) => {
      how = now;
    },
    arrived: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (requests.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: async () => {
      await closeServer(server);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

type Run = (cwd: string, args: readonly string[]) => Promise<string>;

async function write(work: string, path: string, file: CommitFile, run: Run): Promise<void> {
  const place = join(work, path);
  if (file === undefined) {
    await run(work, ["rm", "--quiet", "-r", "--", path]);
    return;
  }
  if (typeof file === "object" && "submodule" in file) {
    await run(work, ["update-index", "--add", "--cacheinfo", `160000,${file.submodule},${path}`]);
    return;
  }
  mkdirSync(dirname(place), { recursive: true });
  rmSync(place, { force: true });
  if (typeof file === "string" || file instanceof Uint8Array) writeFileSync(place, file);
  else if ("link" in file) symlinkSync(file.link, place);
  else writeFileSync(place, file.executable);
  if (typeof file === "object" && "executable" in file) chmodSync(place, 0o755);
  await run(work, ["add", "--force", "--", path]);
}

function ownEnvironment(time: number): NodeJS.ProcessEnv {
  const person = { NAME: "A U Thor", EMAIL: "author@example.com", DATE: `${time} +0000` };
  const people = ["AUTHOR", "COMMITTER"].flatMap((role) => Object.entries(person).map(([what, value]) => [`GIT_${role}_${what}`, value]));
  return { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C", ...Object.fromEntries(people) };
}

/** git http-backend as a web server starts it: the request in variables and on standard input, the answer with headers of CGI (RFC 3875). */
function backend(root: string, smart: boolean, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
  const variables = {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    GIT_CONFIG_NOSYSTEM: "1",
    HOME: "/nonexistent",
    PATH_INFO: pathname,
    QUERY_STRING: smart ? search.slice(1) : "",
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers["content-type"],
    CONTENT_LENGTH: request.headers["content-length"],
    HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
    GIT_PROTOCOL: smart ? (request.headers["git-protocol"] as string | undefined) : undefined,
  };
  const child = spawn("git", ["http-backend"], { env: variables, stdio: ["pipe", "pipe", "ignore"] });
  const output: Buffer[] = [];
  child.stdin.on("error", () => undefined);
  request.pipe(child.stdin);
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.on("close", () => {
    const whole = Buffer.concat(output);
    const end = whole.indexOf("\r\n\r\n");
    const lines = whole.toString("latin1", 0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const { status = "200", ...others } = headers;
    response.writeHead(Number.parseInt(status, 10), others).end(whole.subarray(end + 4));
  });
}
