import { describe, expect, it } from "vitest";
import { loaders } from "../../../builder/cli/commands.ts";
import { parseFlags } from "../../../builder/cli/flags.ts";
import { commandHelp } from "../../../builder/cli/help.ts";
import { thrown } from "./thrown.ts";

const loaded = await Promise.all(Object.entries(loaders).map(async ([name, load]) => [name, await load()] as const));

describe.each(loaded)("%s", (name, command) => {
  const { spec } = command;
  const page = commandHelp(spec);

  it("has a help page with its name, operands, summary and examples", () => {
    expect(spec.name).toBe(name);
    expect(page.split("\n")[0]).toBe(`usage: tsbuild ${name} [options] ${spec.operands}`.trimEnd());
    expect(spec.summary).toMatch(/^[A-Z].*\.$/);
    expect(spec.examples.length).toBeGreaterThan(0);
    for (const example of spec.examples) expect(page).toContain(`  ${example}\n`);
  });

  it("describes every flag in a line of its own", () => {
    for (const [flag, { help }] of Object.entries({ ...spec.flags, help: { help: "Show this help" } })) {
      expect(help).toMatch(/^[A-Z]/);
      expect(page).toMatch(new RegExp(`^  (-., |    )--${flag}( |\\[|$)`, "m"));
    }
  });

  it("uses each short name once", () => {
    const shorts = Object.values(spec.flags).flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
  });

  it("fits into 100 columns, but for the summary and examples", () => {
    const options = page.slice(page.indexOf("options:"), page.indexOf("examples:"));
    expect(Math.max(...options.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it("understands its own examples", () => {
    for (const example of spec.examples) {
      const own = example.split(" | ").find((part) => part.startsWith("tsbuild"));
      const [program, ...words] = own?.split(" < ")[0]?.split(" ") ?? [];
      expect(program).toBe("tsbuild");
      expect(() => parseFlags(spec, words[0] === name ? words.slice(1) : words)).not.toThrow();
    }
  });

  it("answers every flag of other builders: with a note, or with what is missing", () => {
    for (const [flag, { value, note, missing, short }] of Object.entries(spec.foreign ?? {})) {
      expect(Object.keys(spec.flags)).not.toContain(flag);
      expect([note, missing].filter((said) => said !== undefined).length, flag).toBe(1);
      const argv = [`--${flag}`, ...(value === true ? ["something"] : [])];
      if (note === undefined)
        expect(thrown(() => parseFlags(spec, argv)).message).toBe(`reading the command line: --${flag} is not supported: ${missing}`);
      else expect(parseFlags(spec, argv).notes).toEqual([`--${flag}: ${note}`]);
      if (short !== undefined) expect(Object.values(spec.flags).map((own) => own.short)).not.toContain(short);
    }
  });
});

it("the build flags of docker buildx are all known", async () => {
  const build = await loaders.build();
  const known = new Set([...Object.keys(build.spec.flags ?? {}), ...Object.keys(build.spec.foreign ?? {})]);
  const docker =
    "add-host allow annotation attest build-arg build-context builder cache-from cache-to call cgroup-parent check debug file iidfile label load metadata-file network no-cache no-cache-filter output platform policy progress provenance pull push quiet resource sbom secret shm-size ssh tag target ulimit compress cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems force-rm isolation memory memory-swap rm security-opt squash";
  expect(docker.split(" ").filter((flag) => !known.has(flag))).toEqual([]);
});

it("the run flags of docker are all known", async () => {
  const run = await loaders.run();
  const known = new Set([...Object.keys(run.spec.flags ?? {}), ...Object.keys(run.spec.foreign ?? {})]);
  const docker =
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval health-start-period health-timeout hostname init interactive ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit user userns uts volume volume-driver volumes-from workdir";
  expect(docker.split(" ").filter((flag) => !known.has(flag))).toEqual([]);
});
