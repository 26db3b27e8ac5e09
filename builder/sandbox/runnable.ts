import { foreignHandler, SandboxError } from "../../runtime-addon/index.ts";
import type { Platform } from "../../store/oci.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";

/** Architectures whose programs a machine of another runs by itself, as kernels are made that images are run on. */
const also: Readonly<Record<string, readonly string[]>> = { amd64: ["386"], arm64: ["arm"] };

const hint =
  "install an emulator that the kernel knows: Debian's packages qemu-user-static and binfmt-support; in a container, on the host below it";

/** Throws SandboxError UNSUPPORTED_PLATFORM where programs of the platform cannot run here. `doing` begins the message. */
export function refuseForeign(
  { os, architecture, variant }: Platform,
  doing: string,
  handler: typeof foreignHandler = foreignHandler,
): void {
  const machine = machinePlatform();
  const wanted = platformText({ os, architecture, ...(variant === undefined ? {} : { variant }) });
  if (os !== "linux") throw new SandboxError("UNSUPPORTED_PLATFORM", `${doing}: it is for ${wanted}, and only programs for linux run here`);
  if (architecture === machine.architecture || also[machine.architecture]?.includes(architecture) === true) return;
  const found = handler(architecture);
  if (found === "reachable") return;
  const what =
    found === "none"
      ? "the kernel knows no emulator for it (binfmt_misc)"
      : "the emulator that the kernel knows for it cannot be reached from a container (binfmt_misc, without the flag F)";
  throw new SandboxError("UNSUPPORTED_PLATFORM", `${doing}: it is for ${wanted}, this machine is ${platformText(machine)}, and ${what}`, {
    hint,
  });
}
