import { isUtf8 } from "node:buffer";
import { openPatterns, type PatternSet } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { RunMount, RunOperation } from "../plan/operation.ts";
import { leaksInTree, refuseLeaks } from "../secrets/gate.ts";
import type { SecretPattern } from "../secrets/secret-patterns.ts";
import { invalid, type Secret, type Secrets } from "../secrets/secrets.ts";

export type SecretMount = Extract<RunMount, { type: "secret" }>;

/** The secrets that a step sees. */
export interface StepSecrets {
  /** Undefined where the caller gave none and the step goes without. */
  of(mount: SecretMount): Secret | undefined;
  /** Variables with their values. */
  readonly env: Readonly<Record<string, string>>;
  /** What nothing of the step may show; absent: nothing to hide. */
  readonly hidden?: PatternSet<SecretPattern>;
  readonly all: readonly Secret[];
}

/**
 * Reads the secrets of a step that runs. Throws SECRET_MISSING for one that it cannot go without, SECRET_INVALID, and SECRET_IN_IMAGE where its command or its variables
 * have one, which the history of the image would show.
 */
export async function openStepSecrets(
  operation: Pick<RunOperation, "args" | "env" | "documents" | "mounts">,
  secrets: Secrets,
  onWarning: (message: string) => void,
): Promise<StepSecrets> {
  const found = new Map<SecretMount, Secret>();
  const env: Record<string, string> = {};
  for (const mount of operation.mounts) {
    if (mount.type !== "secret") continue;
    const secret = await secrets.get(mount.id);
    if (secret === undefined) {
      if (mount.required) throw missing(mount.id);
      continue;
    }
    found.set(mount, secret);
    if (mount.env !== undefined) env[mount.env] = variable(secret);
  }
  const all = [...new Set(found.values())];
  const patterns = all.flatMap((secret) => secret.patterns);
  for (const { id, patterns: own } of all) {
    if (own.length === 0) onWarning(`the secret ${JSON.stringify(id)} has less than 8 bytes: it is not looked for in output and image`);
  }
  const hidden = patterns.length === 0 ? undefined : openPatterns(patterns);
  if (hidden !== undefined) {
    const { args, env: variables, documents } = operation;
    refuseLeaks(leaksInTree({ command: args, variables, documents }, "the step", hidden), all, secrets, onWarning);
  }
  return { of: (mount) => found.get(mount), env, all, ...(hidden === undefined ? {} : { hidden }) };
}

function missing(id: string): TsbuildError {
  return new TsbuildError("SECRET_MISSING", `looking for the secret ${JSON.stringify(id)}: the step requires it, and it was not given`, {
    hint: `--secret id=${id},src=FILE or --secret id=${id},env=VARIABLE`,
  });
}

function variable({ id, bytes }: Secret): string {
  if (bytes.includes(0)) throw invalid(id, "a variable cannot hold its NUL bytes: mount it as a file (target=)");
  if (!isUtf8(bytes)) throw invalid(id, "a variable cannot hold what is no UTF-8 text: mount it as a file (target=)");
  return bytes.toString("utf8");
}
