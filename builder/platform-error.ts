import { DockerfileError, DockerfileErrors } from "./dockerfile/errors.ts";

/** An error of a build for one of several platforms, which says for which. The titles of steps say it themselves. */
export function ofPlatform(error: unknown, platform: string): unknown {
  if (error instanceof DockerfileErrors) return new DockerfileErrors(error.errors.map((one) => withPlatform(one, platform)));
  return error instanceof DockerfileError ? withPlatform(error, platform) : error;
}

function withPlatform(error: DockerfileError, platform: string): DockerfileError {
  const { code, message, range, hint } = error;
  return new DockerfileError(code, `for ${platform}: ${message}`, error, range, {
    cause: error.cause ?? error,
    ...(hint === undefined ? {} : { hint }),
  });
}
