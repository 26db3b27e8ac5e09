import { type NetworkOptions, openNetwork, SandboxError, type SandboxNetwork } from "../../runtime-addon/index.ts";
import { type NetworkPlace, rememberedRefusal, rememberRefusal } from "./network-memory.ts";
import { isLastingRefusal, isTimeout } from "./network-refusal.ts";

/** What is known of earlier tries, and who is told of what this one does without. */
export interface PastaSite {
  readonly place: NetworkPlace;
  /** False: what failed of late is tried again. */
  readonly trustsMemory: boolean;
  readonly onNote: (message: string) => void;
}

/**
 * Opens a network that is kept from this machine's loopback as well as the machine allows: behind a namespace that routes; where that is refused for good, without
 * it, which a note says. Throws what openNetwork throws.
 */
export async function openPasta(options: NetworkOptions, site: PastaSite): Promise<SandboxNetwork> {
  const known = site.trustsMemory ? await rememberedRefusal("network-router", site.place) : undefined;
  if (known !== undefined) return openDirectly(options, known, site);
  try {
    return await openInTime(options);
  } catch (error) {
    if (!isRefusedRouter(error)) throw error;
    await rememberRefusal("network-router", site.place, error.message);
    return openDirectly(options, error.message, site);
  }
}

async function openDirectly(options: NetworkOptions, why: string, { onNote }: PastaSite): Promise<SandboxNetwork> {
  const network = await openInTime({ ...options, direct: true });
  onNote(`the network keeps the command from this machine's loopback, but not packets that it crafts: ${why}`);
  return network;
}

function isRefusedRouter(error: unknown): error is SandboxError {
  return error instanceof SandboxError && error.failure?.op === "--routed" && isLastingRefusal(error);
}

/** A machine that was too busy may not be any more. */
async function openInTime(options: NetworkOptions): Promise<SandboxNetwork> {
  try {
    return await openNetwork(options);
  } catch (error) {
    if (!(error instanceof SandboxError && isTimeout(error))) throw error;
    return openNetwork(options);
  }
}
