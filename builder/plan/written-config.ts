import type { ContainerConfig, Healthcheck } from "../../store/oci.ts";

/**
 * A container config as BuildKit writes it: the fields of image-spec v1.1 and docker-image-spec v1.3 and no others, without those that are
 * empty (in their Go structs all are omitempty). So CMD [] leaves no Cmd, and what else a base's config holds does not go on.
 */
export function writtenConfig(config: ContainerConfig): ContainerConfig {
  const { Healthcheck, ...rest } = config;
  return {
    ...filled(rest, containerFields),
    // A pointer there: an empty one is not nothing.
    ...(Healthcheck === undefined ? {} : { Healthcheck: filled(Healthcheck, healthFields) }),
  };
}

const containerFields = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "ArgsEscaped",
  "OnBuild",
  "Shell",
] as const satisfies readonly (keyof ContainerConfig)[];

const healthFields = [
  "Test",
  "Interval",
  "Timeout",
  "StartPeriod",
  "StartInterval",
  "Retries",
] as const satisfies readonly (keyof Healthcheck)[];

function filled<T extends object, Field extends keyof T>(from: T, fields: readonly Field[]): Pick<T, Field> {
  return Object.fromEntries(fields.map((name) => [name, from[name]]).filter(([, value]) => !isEmpty(value))) as Pick<T, Field>;
}

/** What encoding/json leaves out under omitempty. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
