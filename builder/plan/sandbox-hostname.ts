import { TsbuildError } from "../../store/errors.ts";
import { quoted } from "../dockerfile/fault.ts";

const argument = "BUILDKIT_SANDBOX_HOSTNAME";

/** The host name that RUN steps are to have: --build-arg BUILDKIT_SANDBOX_HOSTNAME. Undefined where it is not given, or empty. Throws INVALID_HOST. */
export function sandboxHostname(buildArgs: Readonly<Record<string, string>>): string | undefined {
  const name = Object.hasOwn(buildArgs, argument) ? buildArgs[argument] : undefined;
  if (name === undefined || name === "") return undefined;
  // sethostname(2) takes 64 bytes, and /etc/hosts words.
  if (/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/.test(name)) return name;
  throw new TsbuildError("INVALID_HOST", `reading ${argument}: ${quoted(name)} is no host name`, {
    hint: "up to 64 letters, digits, dots and dashes",
  });
}
