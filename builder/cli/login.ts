import { collect } from "../../store/file-bytes.ts";
import type { LoginCheck } from "../../store/registry/login.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { credentialPlaces } from "./credential-places.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { note } from "./note.ts";
import { openPrompt } from "./prompt.ts";
import { type RegistryFlags, registryFlags, registryOptions } from "./registry-flags.ts";
import { readRegistryHost } from "./registry-host.ts";
import { UsageError } from "./usage-error.ts";
import { invalid } from "./values.ts";

const loginFlags = {
  username: { short: "u", value: "NAME", help: "Name of the account" },
  "password-stdin": { help: "Read the password, or a token in its place, from standard input" },
} as const satisfies FlagTable;

interface Account {
  readonly username: string;
  readonly password: string;
}

/** More is no password, and a file that was piped in by mistake. */
const longestPassword = 64 * 1024;

export const login = command(
  {
    name: "login",
    operands: "[HOST]",
    summary:
      "Log in to a registry (docker.io). The name and the password are shown to the registry, and kept where docker keeps them: with the credential helper that its configuration names, else in the file, which is the one of --authfile, $REGISTRY_AUTH_FILE, or $DOCKER_CONFIG/config.json (~/.docker/config.json).",
    flags: { ...loginFlags, ...registryFlags },
    foreign: {
      password: { short: "p", value: true, missing: "every user of this machine can read it in the command line: --password-stdin" },
    },
    examples: ["tsbuild login ghcr.io", "tsbuild login -u me --password-stdin registry.example.com < token"],
  },
  { min: 0, max: 1 },
  async ({ flags, operands: [host] }, io) => {
    const registry = readRegistryHost(host);
    const account = await accountOf(flags, io);
    if (account === undefined) {
      io.stderr.write("cancelled\n");
      return 130;
    }
    const { open, keep } = await checked(flags, io, registry, account);
    if (open) note(io, `${registry} lets everybody in: the password was not checked`);
    const [{ saveCredential }, { dockerCredentials }] = await Promise.all([
      import("../../store/registry/saved-credential.ts"),
      import("../../store/registry/docker-config.ts"),
    ]);
    const places = credentialPlaces(flags, io);
    const { file, helper } = await saveCredential(places, registry, keep, { signal: io.signal });
    if (helper === undefined) {
      const what = keep.kind === "identity" ? "the identity token" : "the password";
      note(io, `${what} is kept unencrypted in ${file}; a credential helper ("credsStore") would keep it safe`);
    }
    const used = io.env.DOCKER_AUTH_CONFIG
      ? (await dockerCredentials(places).placeOf(registry, undefined, { signal: io.signal }))?.where
      : file;
    if (used !== undefined && used !== file) note(io, `${used} has credentials for ${registry} too, and those are used`);
    io.stdout.write("Login succeeded\n");
    return 0;
  },
);

async function checked(flags: RegistryFlags, io: CliIo, registry: string, account: Account): Promise<LoginCheck> {
  const [{ openHttp }, { retryPolicy, withListener }, { endpointsFor }, { checkLogin }, { defaultRegistrySettings }] = await Promise.all([
    import("../../store/registry/http.ts"),
    import("../../store/registry/retry.ts"),
    import("../../store/registry/endpoint.ts"),
    import("../../store/registry/login.ts"),
    import("../../store/registry/settings.ts"),
  ]);
  // What is there of it, if anything, is looked at when it is written.
  const { authfile: _, ...others } = flags;
  const { settings = defaultRegistrySettings, ...transport } = await registryOptions(others, io);
  await using http = openHttp({ ...transport, settings });
  // Whose name is given is meant, whatever names of images are read as.
  const { writing } = endpointsFor({ registry, repository: "" }, { ...settings, rewrites: [] });
  const retry = withListener(retryPolicy(settings), (message) => note(io, message));
  return await checkLogin({ http, retry, settings }, writing, account, { signal: io.signal });
}

/** Undefined: whoever was asked did not want to say. */
async function accountOf(flags: FlagValues<typeof loginFlags>, io: CliIo): Promise<Account | undefined> {
  const fromStdin = flags["password-stdin"] ?? false;
  if (flags.username !== undefined) checkName(flags.username);
  if (fromStdin) {
    if (flags.username === undefined) throw new UsageError("MISSING_VALUE", "reading the command line: --password-stdin needs --username");
    return { username: flags.username, password: await readPassword(io) };
  }
  if (io.stdin.isTTY !== true) {
    throw new UsageError("NOT_A_TERMINAL", "asking for the name and the password: standard input is not a terminal", {
      hint: "tsbuild login -u NAME --password-stdin HOST < FILE",
    });
  }
  return ask(flags, io);
}

async function ask({ username }: Pick<FlagValues<typeof loginFlags>, "username">, io: CliIo): Promise<Account | undefined> {
  const prompt = openPrompt(io);
  try {
    const name = username ?? (await prompt.line("Username: "));
    if (name === undefined) return undefined;
    checkName(name);
    const secret = await prompt.secret("Password: ");
    return secret === undefined ? undefined : { username: name, password: nonEmpty(secret) };
  } finally {
    await prompt.close();
  }
}

async function readPassword(io: CliIo): Promise<string> {
  const tooLong = () =>
    new UsageError("INVALID_VALUE", `reading the password from standard input: it is longer than ${longestPassword} bytes`);
  const text = (await collect(io.stdin, longestPassword, tooLong)).toString("utf8");
  return nonEmpty(text.replace(/\r?\n$/, ""));
}

function nonEmpty(password: string): string {
  if (password === "") throw new UsageError("INVALID_VALUE", "reading the password: it is empty");
  return password;
}

/** RFC 7617 §2: a colon would end the name. */
function checkName(name: string): void {
  if (name === "") throw new UsageError("MISSING_VALUE", "reading the name of the account: it is empty");
  if (/[:\x00-\x1f\x7f]/.test(name)) throw invalid("--username", name, "holds a colon or a control character");
}
