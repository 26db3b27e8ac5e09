import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { type Abortable, collect } from "../file-bytes.ts";
import type { Credential } from "./credential.ts";

/** A program that keeps credentials, as Docker's docker-credential-<name> (docker-credential-helpers, "Usage"). Throws CREDENTIAL_HELPER and `signal.reason`. */
export interface CredentialHelper {
  /** Undefined when it has none for this server. */
  get(server: string, options?: Abortable): Promise<Credential | undefined>;
  store(server: string, credential: Credential, options?: Abortable): Promise<void>;
  /** A server that it does not know is no failure. */
  erase(server: string, options?: Abortable): Promise<void>;
}

export interface HelperOptions {
  /** The helper's environment, and the PATH on which it is found: helpers read HOME, AWS_PROFILE and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** It may have to ask somebody for a key. Absent: a minute. */
  readonly timeoutMs?: number;
}

/** In place of a user name: the secret is an identity token. */
const tokenUser = "<token>";
/** The protocol has only words for it. */
const notFound = /credentials not found/i;
const largestOutput = 256 * 1024;
const shownLength = 200;

/** `name` is what a configuration says: "pass", "ecr-login". Nothing is started yet. */
export function credentialHelper(name: string, { env, timeoutMs = 60_000 }: HelperOptions): CredentialHelper {
  const program = `docker-credential-${name}`;
  const fail = (doing: string, why: string, hint?: string): TsbuildError =>
    new TsbuildError("CREDENTIAL_HELPER", `${doing}: ${why}`, hint === undefined ? {} : { hint });
  // A configuration may come with a checkout: only a word can be part of a program's name, never a path.
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw fail("finding a credential helper", `"${name}" cannot be the name of one`);

  const run = async (action: string, input: string, { signal }: Abortable): Promise<Ended> => {
    const doing = `running ${program} ${action}`;
    signal?.throwIfAborted();
    const child = spawn(program, [action], { env, stdio: ["pipe", "pipe", "pipe"] });
    try {
      await once(child, "spawn");
    } catch (error) {
      const hint = `install it, or take "${name}" out of the configuration of credentials`;
      if (isSystemError(error, "ENOENT")) throw fail(doing, "there is no such program on the PATH", hint);
      throw fail(doing, isSystemError(error) ? error.code : String(error), hint);
    }
    return exchange(child, input, { signal, timeoutMs, fail: (why) => fail(doing, why) });
  };

  const refusal = (action: string, server: string, { output, complaint }: Ended): TsbuildError =>
    fail(`asking ${program} to ${action} ${server}`, wordsOf(output) ?? wordsOf(complaint) ?? "it failed and did not say why");

  return {
    async get(server, options = {}) {
      const ended = await run("get", server, options);
      if (ended.code !== 0) {
        if (notFound.test(ended.output)) return undefined;
        throw refusal("get", server, ended);
      }
      const found = parseAnswer(ended.output);
      if (found === undefined) throw fail(`asking ${program} to get ${server}`, "it does not answer with Username and Secret");
      if (found.username === "" && found.secret === "") return undefined;
      return found.username === tokenUser
        ? { kind: "identity", token: found.secret }
        : { kind: "basic", username: found.username, password: found.secret };
    },

    async store(server, credential, options = {}) {
      const [username, secret] = credential.kind === "basic" ? [credential.username, credential.password] : [tokenUser, credential.token];
      const ended = await run("store", JSON.stringify({ ServerURL: server, Username: username, Secret: secret }), options);
      const without = (text: string): string => (secret === "" ? text : text.replaceAll(secret, "***"));
      if (ended.code !== 0)
        throw refusal("store", server, { ...ended, output: without(ended.output), complaint: without(ended.complaint) });
    },

    async erase(server, options = {}) {
      const ended = await run("erase", server, options);
      if (ended.code !== 0 && !notFound.test(ended.output)) throw refusal("erase", server, ended);
    },
  };
}

interface Ended {
  readonly code: number | null;
  /** Standard output: the answer, or by the protocol why there is none. */
  readonly output: string;
  /** Beginning of standard error. */
  readonly complaint: string;
}

interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly fail: (why: string) => TsbuildError;
}

/** Gives a started helper its input and waits for its end. */
async function exchange(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  input: string,
  { signal, timeoutMs, fail }: Limits,
): Promise<Ended> {
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let stopped: { readonly why: unknown } | undefined;
  const stop = (why: unknown): void => {
    stopped ??= { why };
    child.kill("SIGKILL");
    // What the helper started may hold its pipes for as long as it likes.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  let complaint = "";
  const silent = new Promise((resolve) => child.stderr.once("close", resolve));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < shownLength) complaint += text;
  });
  const onAbort = (): void => stop(signal?.reason);
  const timer = setTimeout(() => stop(fail(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  try {
    // A helper that does not read its input says why by its exit code.
    child.stdin.on("error", () => undefined).end(input);
    const tooLong = () => fail(`it writes more than ${largestOutput} bytes`);
    const output = await collect(child.stdout, largestOutput, tooLong).catch((error: unknown) => {
      stop(error);
      return Buffer.alloc(0);
    });
    const [code] = await ended;
    if (code !== 0) await silent;
    if (stopped !== undefined) throw stopped.why;
    return { code, output: output.toString("utf8"), complaint };
  } finally {
    child.stderr.destroy();
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function parseAnswer(output: string): { readonly username: string; readonly secret: string } | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    return undefined;
  }
  if (typeof answer !== "object" || answer === null) return undefined;
  const { Username: username, Secret: secret } = answer as Readonly<Record<string, unknown>>;
  return typeof username === "string" && typeof secret === "string" ? { username, secret } : undefined;
}

/** What a failed helper said, if it cannot be a credential: those come as JSON. */
function wordsOf(output: string): string | undefined {
  const text = output.trim();
  return text === "" || /[{}]|secret"/i.test(text) ? undefined : text.slice(0, shownLength);
}
