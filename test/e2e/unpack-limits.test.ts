import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { problemsIn } from "../support/store-health.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const settings = '[store]\nmax_layer_size = "4m"\nmax_layer_entries = 500\nmax_layer_names = "16k"\n';

const attacks = {
  bytes: {
    files: { zeros: Buffer.alloc(6 * 2 ** 20) },
    why: "decompressing: more than 4194304 bytes",
    hint: "the limit is max_layer_size under [store] in tsbuild.toml",
  },
  entries: {
    files: Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`f${i}`, ""])),
    why: "more than 500 entries",
    hint: "make it of several layers, or raise max_layer_entries under [store] in tsbuild.toml",
  },
  names: {
    files: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${"n".repeat(90)}${i}`, ""])),
    why: "names of more than 16384 bytes",
    hint: "make it of several layers, or raise max_layer_names under [store] in tsbuild.toml",
  },
} as const;
type Attack = keyof typeof attacks;

describe("attack: more than the settings let one layer come to", () => {
  let directory: string;
  let registry: FakeRegistry;
  const place = (attack: Attack, name: string) => join(directory, attack, name);

  beforeAll(async () => {
    directory = temporaryDirectory("unpack-limits");
    registry = await startFakeRegistry();
    mkdirSync(join(directory, "tsbuild"));
    writeFileSync(join(directory, "tsbuild/tsbuild.toml"), settings);
    const store = temporaryStore();
    for (const [attack, { files }] of Object.entries(attacks) as [Attack, (typeof attacks)[Attack]][]) {
      for (const path of ["files", "context"]) mkdirSync(place(attack, path), { recursive: true });
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(place(attack, "files"), name), bytes);
      writeFileSync(place(attack, "context/Dockerfile"), "FROM scratch\nADD all.tar.gz /\n");
      await mustRun(["tar", "-czf", place(attack, "context/all.tar.gz"), "-C", place(attack, "files"), "."]);
      await mustTsbuild(["import", place(attack, "context/all.tar.gz"), attack], { store });
      await mustTsbuild(["save", "--compression", "gzip", attack, "-o", place(attack, "image.tar")], { store });
      registry.putImage(attack, "v1", await fakeImage({ layers: [files] }));
    }
  });
  afterAll(() => registry.close());

  const ways: Readonly<Record<string, (attack: Attack) => readonly string[]>> = {
    pulled: (attack) => ["pull", "-q", `${registry.host}/${attack}:v1`],
    loaded: (attack) => ["load", place(attack, "image.tar")],
    imported: (attack) => ["import", place(attack, "context/all.tar.gz"), "app"],
    "added by ADD": (attack) => ["build", "-q", place(attack, "context")],
    "a context": () => ["build", "-q", "-"],
  };

  it.each(Object.keys(attacks).flatMap((attack) => Object.keys(ways).map((way) => [attack as Attack, way] as const)))(
    "is refused, with what to set, and leaves nothing: %s, %s",
    async (attack, way) => {
      const store = temporaryStore();
      const env = { XDG_CONFIG_HOME: directory };
      const words = (ways[way] ?? (() => []))(attack);
      const input = ["sh", "-c", 'archive=$1; shift; exec "$@" <"$archive"', "sh", place(attack, "context/all.tar.gz")];
      const { code, stderr } = await tsbuild(words, { store, env, prefix: input });
      const { why, hint } = attacks[attack];
      expect([code, stderr]).toEqual([1, expect.stringContaining(why)]);
      expect(stderr).toContain("[TOO_LARGE]\n");
      expect(stderr).toContain(`  hint: ${hint}\n`);
      expect(await mustTsbuild(["images", "-q"], { store })).toBe("");
      expect(await problemsIn(store)).toEqual([]);
    },
  );
});
