import { isRegistryHost } from "../../store/reference.ts";
import { readKey } from "../../store/registry/config-file.ts";
import { invalid } from "./values.ts";

/** The registry that an operand means, as references name it: "host:5000", "https://host/v2/"; docker.io where there is none. Throws UsageError INVALID_VALUE. */
export function readRegistryHost(text = "docker.io"): string {
  const { registry, path } = readKey(text);
  if (path !== "") throw invalid("HOST", text, "names a repository, and credentials are kept for a whole registry", `write ${registry}`);
  if (!isRegistryHost(registry)) {
    throw invalid("HOST", text, "is no registry host", "write it as registry.example.com or localhost:5000");
  }
  return registry;
}
