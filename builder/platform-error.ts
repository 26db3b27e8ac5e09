import { DockerfileError, DockerfileErrors } from "./dockerfile/errors.ts";

/** What went wrong for one platform; absent where the build is for one only. */
export interface PlatformFailure {
  readonly error: unknown;
  readonly platform?: string;
}

/** What is thrown where `told` is the one of these failures to tell of, in a build for so many platforms: it names its platform unless all failed alike. */
export function failureToThrow(told: PlatformFailure, all: readonly PlatformFailure[], platforms: number): unknown {
  const message = messageOf(told.error);
  const alike = new Set(all.flatMap(({ error, platform }) => (messageOf(error) === message ? [platform] : [])));
  return told.platform === undefined || alike.size === platforms ? told.error : ofPlatform(told.error, told.platform);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

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
