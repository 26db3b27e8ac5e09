import { statSync } from "node:fs";
import { isSystemError } from "../../runtime-addon/index.ts";
import type { BuildOptions, SecretSource, SshSource } from "../options.ts";
import type { CliIo } from "./cli-io.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

export const secretFlags = {
  secret: {
    value: "id=ID,src=FILE",
    many: true,
    help: "A secret for RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=VARIABLE; id=ID alone is the variable or the file of that name",
  },
  ssh: {
    value: "ID[=SOCKET|KEY]",
    many: true,
    help: "An SSH agent for RUN --mount=type=ssh: default is $SSH_AUTH_SOCK; key files are separated by commas",
  },
  "allow-secret-in-image": {
    value: "ID",
    many: true,
    help: "The image and cache mounts may hold this secret; another one that gets there fails the build",
  },
} as const satisfies FlagTable;

const keys = ["id", "src", "source", "env", "type"] as const;
type Key = (typeof keys)[number];

/** Throws UsageError, which shows nothing that could be a secret. */
export function readSecrets(
  flags: FlagValues<typeof secretFlags>,
  { env }: Pick<CliIo, "env">,
): Pick<BuildOptions, "secrets" | "ssh" | "allowSecretsInImage"> {
  const secrets = (flags.secret ?? []).map((text) => readSecret(text, env));
  const ssh = (flags.ssh ?? []).map((text) => readAgent(text, env));
  return { secrets: Object.fromEntries(secrets), ssh: Object.fromEntries(ssh), allowSecretsInImage: flags["allow-secret-in-image"] ?? [] };
}

/** As buildx reads it. */
function readSecret(text: string, env: CliIo["env"]): readonly [string, SecretSource] {
  const fields = new Map<Key, string>();
  for (const word of text.split(",")) {
    const at = word.indexOf("=");
    const key = keys.find((name) => name === word.slice(0, Math.max(at, 0)).toLowerCase());
    // Not shown: a comma in a value may have made a field of it.
    if (key === undefined) throw invalid("a field of it is not id=, src=, env= or type=");
    fields.set(key === "source" ? "src" : key, word.slice(at + 1));
  }
  const id = fields.get("id");
  if (!id) throw invalid("it has no id");
  const type = fields.get("type");
  if (type !== undefined && type !== "file" && type !== "env") throw invalid(`there is no type ${JSON.stringify(type)}`);
  const file = fields.get("src");
  const variable = fields.get("env") ?? (type === "env" ? (file ?? id) : undefined);
  // Alone, a name may be either, and the variable goes first.
  const name = variable ?? (file === undefined && type !== "file" && env[id] !== undefined ? id : undefined);
  return [id, name === undefined ? fileSource(id, file ?? id) : variableSource(id, name, env)];
}

function variableSource(id: string, name: string, env: CliIo["env"]): SecretSource {
  const value = env[name];
  if (value === undefined) throw invalid(`the secret ${JSON.stringify(id)} is the variable ${JSON.stringify(name)}, which is not set`);
  return { value };
}

/** Looked at before anything is built; read when a step wants it. */
function fileSource(id: string, file: string): SecretSource {
  const path = file.startsWith("file://") ? file.slice("file://".length) : file;
  try {
    if (!statSync(path).isDirectory()) return { file: path };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw invalid(
      `the secret ${JSON.stringify(id)} is the file ${JSON.stringify(path)}: ${error.code === "ENOENT" ? "there is no such file" : error.code}`,
    );
  }
  throw invalid(`the secret ${JSON.stringify(id)} is ${JSON.stringify(path)}, a directory`);
}

/** "ID", "ID=SOCKET" or "ID=KEY,KEY". */
function readAgent(text: string, env: CliIo["env"]): readonly [string, SshSource] {
  const at = text.indexOf("=");
  const id = at < 0 ? text : text.slice(0, at);
  const paths =
    at < 0
      ? []
      : text
          .slice(at + 1)
          .split(",")
          .filter((path) => path !== "");
  const hint = "write it as --ssh default, --ssh default=$SSH_AUTH_SOCK or --ssh deploy=KEYFILE";
  const refused = (problem: string) => new UsageError("INVALID_VALUE", `reading --ssh: ${problem}`, { hint });
  if (id === "") throw refused("it has no id");
  if (paths.length === 0) {
    if (!env.SSH_AUTH_SOCK) throw refused(`no agent is running for ${JSON.stringify(id)}: SSH_AUTH_SOCK is not set`);
    return [id, { socket: env.SSH_AUTH_SOCK }];
  }
  const kinds = paths.map((path) => {
    try {
      return statSync(path).isSocket() ? "socket" : "key";
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw refused(`${JSON.stringify(path)}: ${error.code}`);
    }
  });
  const [first] = paths;
  if (kinds[0] === "socket" && paths.length === 1 && first !== undefined) return [id, { socket: first }];
  if (kinds.includes("socket")) throw refused(`${JSON.stringify(id)} is either one socket or key files`);
  return [id, { keys: paths }];
}

function invalid(problem: string): UsageError {
  return new UsageError("INVALID_VALUE", `reading --secret: ${problem}`, {
    hint: "write it as --secret id=npm,src=.npmrc or --secret id=token,env=TOKEN",
  });
}
