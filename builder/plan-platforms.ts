import { platformText } from "../store/platform.ts";
import type { BuildSites } from "./build-site.ts";
import { planChecked } from "./check.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import { numberedPlans } from "./plan/numbered-plans.ts";
import type { PlannedSite } from "./plan-site.ts";
import { failureToThrow, type PlatformFailure } from "./platform-error.ts";
import { type DatedSite, dateSite } from "./source-date-epoch.ts";

/** The plan for one platform. */
export interface PlatformPlan extends PlannedSite {
  readonly site: DatedSite;
}

/** One for each platform, in their order. */
export type PlatformPlans = readonly [PlatformPlan, ...PlatformPlan[]];

/**
 * Plans for each platform, with the time that the build has, and checks the Dockerfile as it is for it. Throws what dateSite and planChecked throw;
 * what is not wrong for all platforms says for which one.
 */
export async function planPlatforms(
  sites: BuildSites,
  refuse: (plan: BuildPlan, site: DatedSite) => void = () => undefined,
): Promise<PlatformPlans> {
  const planned = await eachPlatform(sites, async (given): Promise<PlatformPlan> => {
    const site = await dateSite(given);
    return { ...(await planChecked(site, (plan) => refuse(plan, site))), site };
  });
  const plans = numberedPlans(planned.map(({ plan }) => plan));
  const [first, ...others] = planned.map((one, i) => ({ ...one, plan: plans[i] ?? one.plan }));
  if (first === undefined) throw new RangeError("there was no platform");
  return [first, ...others];
}

/** Work for all platforms at once. The first one's failure is thrown, when all have come to rest; it names its platform unless all failed alike. */
export async function eachPlatform<T>(sites: BuildSites, work: (site: BuildSites[number]) => Promise<T>): Promise<readonly T[]> {
  const settled = await Promise.allSettled(sites.map(work));
  const failures = settled.flatMap((one, i): readonly PlatformFailure[] =>
    one.status === "rejected" ? [{ error: one.reason, platform: platformText((sites[i] ?? sites[0]).planOptions.platform) }] : [],
  );
  const [first] = failures;
  if (first !== undefined) throw failureToThrow(first, failures, sites.length);
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}
