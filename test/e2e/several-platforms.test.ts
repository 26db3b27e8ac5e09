import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote } from "../support/registry/inspect-remote.ts";
import { newMachine } from "../support/registry/machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const index = "application/vnd.oci.image.index.v1+json";
const platforms = "linux/amd64,linux/arm64,linux/arm/v7";

/** The output lines of all RUN steps, of a build whose progress is rawjson. */
function outputsOf(progress: string): readonly string[] {
  const events = progress.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  return events.flatMap(({ type, text = "" }) => (type === "step-output" ? text.trim().split("\n") : []));
}

describe("RUN for several platforms", needs("sandbox"), () => {
  const store = temporaryStore();
  beforeAll(() => importBusybox({ store }));

  const Dockerfile = [
    "FROM --platform=$BUILDPLATFORM busybox AS build",
    "RUN echo shared && echo shared > /shared",
    "ARG TARGETARCH",
    "RUN echo made for $TARGETARCH && cat /shared > /made && echo $TARGETARCH >> /made",
    "FROM scratch",
    "COPY --from=build /made /",
    "",
  ].join("\n");

  it("runs what platforms share once, cached or not, and the rest for each", async () => {
    const context = contextDirectory({ Dockerfile });
    const build = (...flags: string[]) =>
      tsbuild(["--platform", platforms, "--progress", "rawjson", "-t", "app", ...flags, context], { store });
    const made = ["made for amd64", "made for arm", "made for arm64"];
    const first = await build();
    expect([first.code, [...outputsOf(first.stderr)].sort()]).toEqual([0, [...made, "shared"]]);
    const again = await build();
    expect([again.code, outputsOf(again.stderr)]).toEqual([0, []]);
    const fresh = await build("--no-cache");
    expect([fresh.code, [...outputsOf(fresh.stderr)].sort()]).toEqual([0, [...made, "shared"]]);
    const dry = JSON.parse(await mustTsbuild(["--platform", platforms, "--dry-run", "--format", "json", context], { store }));
    expect(dry.summary).toMatchObject({ runs: 0, unknown: 0 });
  });

  it("fails as a whole with the step that failed, and names its platform", async () => {
    const failing = contextDirectory({ Dockerfile: `${Dockerfile}FROM build\nRUN test $TARGETARCH != arm64\n` });
    const { code, stderr } = await tsbuild(["--platform", platforms, "--progress", "plain", "-t", "failed", failing], { store });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\[linux\/\w+->arm64 stage-2 2\/2\] RUN test \$TARGETARCH != arm64: exit code 1|\[linux\/arm64 stage-2 2\/2\] RUN test/,
    );
    expect((await tsbuild(["inspect", "failed"], { store })).code).toBe(1);
  });
});

describe("an image for several platforms", needs("dockerRegistry"), () => {
  let registry: DebianRegistry;
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
  });
  afterAll(() => registry.close());

  const Dockerfile = "FROM scratch\nARG TARGETARCH\nENV A=$TARGETARCH\nCOPY all for-$TARGETARCH /\n";
  const context = () => contextDirectory({ Dockerfile, all: "all\n", "for-amd64": "1\n", "for-arm64": "2\n", "for-arm": "3\n" });

  /** Media types of all layers below an index. */
  async function layerTypes(repository: string): Promise<readonly string[]> {
    const { manifests } = (await inspectRemote(registry.host, repository)).manifest as unknown as { manifests: { digest: string }[] };
    const all = await Promise.all(manifests.map(({ digest }) => inspectRemote(registry.host, repository, digest)));
    return [...new Set(all.flatMap(({ manifest }) => manifest.layers.map(({ mediaType }) => mediaType)))];
  }

  it.each<[name: string, ways: (name: string) => readonly (readonly string[])[]]>([
    ["by the build", (name) => [["--push", "-t", name, context()]]],
    [
      "from the store",
      (name) => [
        ["-t", "app", context()],
        ["push", "app", name],
      ],
    ],
  ])("is pushed %s, and other tools take each of it", needs("skopeo"), async (way, commands) => {
    const machine = newMachine();
    const repository = way.replaceAll(" ", "-");
    const name = `${registry.host}/${repository}`;
    const results = join(machine.home, "metadata.json");
    const idFile = join(machine.home, "id");
    const said: string[] = [];
    for (const [first = "", ...others] of commands(name)) {
      const flags =
        first === "push"
          ? []
          : ["--platform", platforms, "--source-date-epoch", "0", "--metadata-file", results, "--iidfile", idFile, "-q"];
      said.push(await machine.must([first, ...others, ...flags]));
    }
    const remote = await inspectRemote(registry.host, repository);
    expect(remote.mediaType).toBe(index);
    if (way === "by the build") {
      expect([said, readFileSync(idFile, "utf8")]).toEqual([[remote.digest], remote.digest]);
      expect(JSON.parse(readFileSync(results, "utf8"))).toEqual({ "containerimage.digest": remote.digest, "image.name": name });
      expect(checkLayout(machine.store)).toEqual({ names: [], damage: [] });
    }
    expect(await layerTypes(repository)).toEqual(["application/vnd.oci.image.layer.v1.tar+gzip"]);
    for (const [architecture, variant] of [["amd64"], ["arm64"], ["arm", "v7"]] as const) {
      const chosen = [
        "--override-os",
        "linux",
        "--override-arch",
        architecture,
        ...(variant === undefined ? [] : ["--override-variant", variant]),
      ];
      const layout = `oci:${join(machine.home, architecture)}:app`;
      await mustRun(["skopeo", "--insecure-policy", ...chosen, "copy", "-q", "--src-tls-verify=false", `docker://${name}`, layout]);
      const config = JSON.parse(await mustRun(["skopeo", ...chosen, "inspect", "--config", layout]));
      expect([config.architecture, config.config.Env]).toEqual([architecture, expect.arrayContaining([`A=${architecture}`])]);
    }
  });

  it("comes to the same index by both ways, and prune keeps all of it", async () => {
    const digests = await Promise.all(
      ["by-the-build", "from-the-store"].map(async (name) => (await inspectRemote(registry.host, name)).digest),
    );
    expect(new Set(digests).size).toBe(1);
    const machine = newMachine();
    await machine.must(["--platform", platforms, "-t", "app", context()]);
    await machine.must(["prune", "--all", "--force"]);
    expect(checkLayout(machine.store)).toEqual({ names: ["app"], damage: [] });
    const archive = join(machine.home, "all.tar");
    await machine.must(["copy", "store:app", `oci-archive:${archive}`]);
    await machine.must(["push", "app", `${registry.host}/pruned`]);
    const { manifests } = (await inspectRemote(registry.host, "pruned")).manifest as unknown as {
      manifests: { platform: { architecture: string } }[];
    };
    expect(manifests.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64", "arm"]);
  });
});
