/** The build argument, and the ARG before the first FROM, that say what time the build has. */
export const epochName = "SOURCE_DATE_EPOCH";

/** Whether a build argument means something without any ARG: proxies, platforms, SOURCE_DATE_EPOCH, and what BuildKit itself reads. */
export function isPredefinedArg(name: string): boolean {
  return (
    isProxyArg(name) ||
    name === epochName ||
    /^BUILDKIT_/.test(name) ||
    /^(?:TARGET|BUILD)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/.test(name) ||
    name === "TARGETSTAGE"
  );
}

/** Variables of proxies, in either case: RUN gets them, no key and no history holds them. */
export function isProxyArg(name: string): boolean {
  return /^(?:https?|ftp|no|all)_proxy$/i.test(name);
}
