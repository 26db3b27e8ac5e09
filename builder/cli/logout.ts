import { command } from "./command.ts";
import { credentialPlaces } from "./credential-places.ts";
import { note } from "./note.ts";
import { registryFlags } from "./registry-flags.ts";
import { readRegistryHost } from "./registry-host.ts";

export const logout = command(
  {
    name: "logout",
    operands: "[HOST]",
    summary: "Forget the credentials of a registry (docker.io) that login keeps, in the file or with the credential helper.",
    flags: { authfile: registryFlags.authfile },
    examples: ["tsbuild logout ghcr.io"],
  },
  { min: 0, max: 1 },
  async ({ flags, operands: [host] }, io) => {
    const registry = readRegistryHost(host);
    const [{ eraseCredential }, { dockerCredentials }] = await Promise.all([
      import("../../store/registry/saved-credential.ts"),
      import("../../store/registry/docker-config.ts"),
    ]);
    const places = credentialPlaces(flags, io);
    const erased = await eraseCredential(places, registry, { signal: io.signal });
    const left = await dockerCredentials(places).placeOf(registry, undefined, { signal: io.signal });
    if (erased === undefined) io.stdout.write(`Not logged in to ${registry}\n`);
    else if (erased.helper === undefined) io.stdout.write(`Removed the credentials of ${registry} from ${erased.file}\n`);
    else io.stdout.write(`Removed the credentials of ${registry} from docker-credential-${erased.helper}\n`);
    if (left !== undefined) note(io, `${left.where} has credentials for ${registry} too, which stay there`);
    return 0;
  },
);
