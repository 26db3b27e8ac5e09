import { setTimeout as delay } from "node:timers/promises";
import { type NetworkOptions, openNetwork, SandboxError, type SandboxNetwork } from "../../runtime-addon/index.ts";
import { type NetworkPlace, rememberedRefusal, rememberRefusal } from "./network-memory.ts";
import { isLastingRefusal, isRefusal, isTimeout, isUsedUp } from "./network-refusal.ts";

/** What is known of earlier tries, and who is told of what this one does without. */
export interface PastaSite {
  readonly place: NetworkPlace;
  /** False: what failed of late is tried again. */
  readonly trustsMemory: boolean;
  readonly attempt: Attempt;
  readonly onNote: (message: string) => void;
}

/**
 * What is done about a failure. "ahead": nothing, since nobody needs the network yet: it is not tried again, not done without a part, not remembered. Else `makeRoom`
 * ends networks that nobody needs, and resolves with false where there never were any: a refusal is believed only then.
 */
export type Attempt = "ahead" | { readonly makeRoom: () => Promise<boolean> };

/** In which pasta is ready, but for one that hangs at its start (those of 2023 do at times) and for a machine that is busy. */
const usualMs = 2_000;

/** In which it is ready on a busy machine. */
const patientMs = 8_000;

/** The waits between attempts. */
const releaseMs = [25, 50, 100, 200, 400, 800];

/**
 * Opens a network that is kept from this machine's loopback as well as the machine allows: behind a namespace that routes; where that is refused, without
 * it, which a note says. Throws what openNetwork throws.
 */
export async function openPasta(options: NetworkOptions, site: PastaSite): Promise<SandboxNetwork> {
  const known = site.trustsMemory ? await rememberedRefusal("network-router", site.place) : undefined;
  if (known !== undefined) return openDirectly(options, known, site);
  try {
    return await openTwice(options, site.attempt);
  } catch (error) {
    if (site.attempt === "ahead" || !isRefusedRouter(error)) throw error;
    if (isLastingRefusal(error)) await rememberRefusal("network-router", site.place, error.message);
    return openDirectly(options, error.message, site);
  }
}

async function openDirectly(options: NetworkOptions, why: string, { attempt, onNote }: PastaSite): Promise<SandboxNetwork> {
  const network = await openTwice({ ...options, direct: true }, attempt);
  onNote(`the network keeps the command from this machine's loopback, but not packets that it crafts: ${why}`);
  return network;
}

function isRefusedRouter(error: unknown): error is SandboxError {
  return error instanceof SandboxError && error.failure?.op === "--routed" && isRefusal(error);
}

async function openTwice(options: NetworkOptions, attempt: Attempt): Promise<SandboxNetwork> {
  try {
    return await openNetwork({ ...options, deadlineMs: usualMs });
  } catch (error) {
    if (attempt === "ahead" || !(error instanceof SandboxError)) throw error;
    if (!isTimeout(error) && !(await attempt.makeRoom())) throw error;
    return isUsedUp(error) ? openWhenReleased(options) : openNetwork({ ...options, deadlineMs: patientMs });
  }
}

/** Kernels give a namespace back a while after its last process has ended. */
async function openWhenReleased({ signal, ...options }: NetworkOptions): Promise<SandboxNetwork> {
  const stoppable = signal === undefined ? {} : { signal };
  for (const ms of releaseMs) {
    await delay(ms, undefined, stoppable);
    try {
      return await openNetwork({ ...options, ...stoppable, deadlineMs: patientMs });
    } catch (error) {
      if (!(error instanceof SandboxError && isUsedUp(error))) throw error;
    }
  }
  return openNetwork({ ...options, ...stoppable, deadlineMs: patientMs });
}
