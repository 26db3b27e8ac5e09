import { homedir } from "node:os";
import type { DockerConfigOptions } from "../../store/registry/docker-config.ts";
import type { CliIo } from "./cli-io.ts";
import { note } from "./note.ts";

/** Where credentials are looked for and kept. What goes wrong there without being an error is a note. */
export function credentialPlaces(flags: { readonly authfile?: string }, io: CliIo): DockerConfigOptions {
  return {
    env: io.env,
    home: io.env.HOME || homedir(),
    ...(flags.authfile === undefined ? {} : { authFile: flags.authfile }),
    warn: (message) => note(io, message),
  };
}
