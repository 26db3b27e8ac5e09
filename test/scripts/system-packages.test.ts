import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CHECKOUT } from "../support/cli.ts";
import { temporaryDirectory } from "../support/temporary.ts";

// A script without types.
const { mayInstall }: { mayInstall(env: Readonly<Record<string, string>>): boolean } = await import(
  `${CHECKOUT}/.scripts/system-packages.mjs`
);

describe("system packages", () => {
  it.each<[what: string, env: Record<string, string>, expected: boolean]>([
    ["are installed where nothing speaks against it", {}, true],
    ["are not with TSBUILD_NO_SYSTEM_PACKAGES=1", { TSBUILD_NO_SYSTEM_PACKAGES: "1" }, false],
    ["are with TSBUILD_NO_SYSTEM_PACKAGES=0", { TSBUILD_NO_SYSTEM_PACKAGES: "0" }, true],
    ["are not with npm's own form of --no-system-packages", { npm_config_system_packages: "" }, false],
    ["are not with npm's --system-packages=false", { npm_config_system_packages: "false" }, false],
    ["are with npm's --system-packages", { npm_config_system_packages: "true" }, true],
  ])("%s", (_what, env, expected) => {
    expect(mayInstall(env)).toBe(expected);
  });

  it("are not installed by npm run … --no-system-packages, which npm hands on as a setting", () => {
    const folder = temporaryDirectory("npm");
    const scripts = { show: 'node -p "JSON.stringify(process.env.npm_config_system_packages ?? null)"' };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "x", version: "1.0.0", scripts }));
    const { npm_config_system_packages: _, ...env } = process.env;
    const shown = (...args: string[]) =>
      JSON.parse(
        execFileSync("npm", ["run", "--silent", "show", ...args], {
          cwd: folder,
          env,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        }),
      );
    expect([shown("--no-system-packages"), shown()]).toEqual(["", null]);
  });
});
