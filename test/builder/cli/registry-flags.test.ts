import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { registryOptions } from "../../../builder/cli/registry-flags.ts";
import { endpointsFor } from "../../../store/registry/endpoint.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

async function insecureHosts(flags: Parameters<typeof registryOptions>[0]): Promise<readonly boolean[]> {
  const home = temporaryDirectory("home");
  mkdirSync(join(home, ".config", "tsbuild"), { recursive: true });
  writeFileSync(
    join(home, ".config", "tsbuild", "tsbuild.toml"),
    '[registry.host."open.example"]\ninsecure = true\nmirrors = ["strict.example"]\n[registry.host."strict.example"]\ninsecure = false\n',
  );
  const { settings = defaultRegistrySettings } = await registryOptions(flags, fakeIo({ env: { HOME: home } }));
  return endpointsFor({ registry: "open.example", repository: "app" }, settings).reading.map(({ insecure }) => insecure);
}

describe("--tls-verify", () => {
  it.each<[flag: "true" | "false" | undefined, mirror: boolean, host: boolean]>([
    [undefined, false, true],
    ["true", false, false],
    ["false", true, true],
  ])("%s wins over the settings of hosts", async (flag, mirror, host) => {
    expect(await insecureHosts(flag === undefined ? {} : { "tls-verify": flag })).toEqual([mirror, host]);
  });
});

describe("--retry", () => {
  it("counts the tries after the first", async () => {
    const { settings } = await registryOptions({ retry: "0" }, fakeIo({ env: { HOME: temporaryDirectory("home") } }));
    expect(settings?.attempts).toBe(1);
  });
});
