import { expect, it } from "vitest";
import { namespaceRemedy } from "../../runtime-addon/namespace-switches.ts";

it.each<[string, Readonly<Record<string, number>>, string | undefined]>([
  ["no switch at all", {}, undefined],
  [
    "switches that are on",
    { "kernel/unprivileged_userns_clone": 1, "user/max_user_namespaces": 1000, "kernel/apparmor_restrict_unprivileged_userns": 0 },
    undefined,
  ],
  ["Debian's switch off", { "kernel/unprivileged_userns_clone": 0 }, "sysctl -w kernel.unprivileged_userns_clone=1"],
  ["a limit of none", { "user/max_user_namespaces": 0 }, "sysctl -w user.max_user_namespaces=15000"],
  [
    "Ubuntu's AppArmor restriction",
    { "kernel/apparmor_restrict_unprivileged_userns": 1 },
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for node that allows userns",
  ],
])("with %s, what allows user namespaces is named", (_name, parameters, remedy) => {
  expect(namespaceRemedy((path) => parameters[path])).toBe(remedy);
});
