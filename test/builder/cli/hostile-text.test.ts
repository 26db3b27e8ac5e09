import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Command } from "../../../builder/cli/command.ts";
import { credentialPlaces } from "../../../builder/cli/credential-places.ts";
import { formatJson, jsonList } from "../../../builder/cli/format-flag.ts";
import { history } from "../../../builder/cli/history.ts";
import { images } from "../../../builder/cli/images.ts";
import { inspect } from "../../../builder/cli/inspect.ts";
import { lsRemote } from "../../../builder/cli/ls-remote.ts";
import { pull } from "../../../builder/cli/pull.ts";
import { rmi } from "../../../builder/cli/rmi.ts";
import { formatTable } from "../../../builder/cli/table.ts";
import { openStore } from "../../../store/store.ts";
import { putImage } from "../../store/sample-image.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

/** A window's title, a cleared screen, the same in eight bits, and text that reads backwards. */
const evil = "\x1b]0;evil\x07\x1b[2J\x9b2J\u202egnp.exe\u2066\x7f\u2028";
const acting = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]/;

let home: string;
let root: string;
beforeEach(() => {
  home = temporaryDirectory("hostile-text");
  root = join(home, "store");
});

async function printed(command: Command, ...argv: string[]): Promise<{ stdout: string; stderr: string }> {
  const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: root } });
  await command.main(argv, io);
  return io.printed;
}

describe("attack: an image whose texts command the terminal", () => {
  let imageId: string;
  beforeEach(async () => {
    await using store = await openStore(root);
    const more = {
      author: evil,
      os: evil,
      architecture: evil,
      config: { Env: [`A=${evil}`], Cmd: [evil] },
      history: [{ created_by: evil, comment: evil }],
    };
    imageId = (await putImage(store, ["app"], [{ a: "1" }], more)).imageId;
    const index = join(root, "index.json");
    const [before, after] = ["docker.io/library/app:latest", evil].map((text) => JSON.stringify(text)) as [string, string];
    writeFileSync(index, readFileSync(index, "utf8").replaceAll(before, after).replaceAll('"app"', after));
  });

  it.each<[name: string, command: Command, argv: (id: string) => string[]]>([
    ["images", images, () => []],
    ["images --format json", images, () => ["--format", "json"]],
    ["history", history, (id) => ["--no-trunc", id]],
    ["history --format json", history, (id) => ["--format", "json", id]],
    ["images --all --digests", images, () => ["--all", "--digests"]],
    ["inspect", inspect, (id) => [id]],
    ["inspect --field author", inspect, (id) => ["--field", "author", id]],
    ["rmi", rmi, (id) => [id]],
  ])("%s", async (_name, command, argv) => {
    const { stdout, stderr } = await printed(command, ...argv(imageId.slice(7, 19)));
    expect(stdout).toContain("gnp.exe");
    expect(stdout).not.toMatch(acting);
    expect(stderr).not.toMatch(acting);
  });

  it("inspect gives the texts as they are to programs", async () => {
    const { stdout } = await printed(inspect, imageId.slice(7, 19));
    expect(JSON.parse(stdout)).toMatchObject({ author: evil, names: [evil], history: [{ created_by: evil }] });
  });
});

it("attack: pull of an image for a platform that commands the terminal", async () => {
  await using registry = await startFakeRegistry();
  registry.putImage("app", "1", await fakeImage({ platform: { os: "linux", architecture: `mips${evil}` } }));
  const { stderr } = await printed(pull, "--quiet", "--platform", "linux/arm64", `${registry.host}/app:1`);
  expect(stderr).toMatch(/^note: .*mips/);
  expect(stderr).not.toMatch(acting);
});

it.each<[flags: string[]]>([[[]], [["--digests"]], [["--format=json"]], [["--digests", "--format=json"]]])(
  "attack: tags that command the terminal, and lead elsewhere (ls-remote %j)",
  async (flags) => {
    const tags = [evil, "../../../../v2/other/manifests/1", "v1"];
    await using registry = await startFakeRegistry({
      intercept: (seen, _request, response) => {
        if (!seen.path.endsWith("/tags/list")) return false;
        response.end(JSON.stringify({ name: "app", tags }));
        return true;
      },
    });
    const { stdout } = await printed(lsRemote, ...flags, `${registry.host}/app`);
    expect(stdout).toContain("gnp.exe");
    expect(stdout).not.toMatch(acting);
    if (flags.includes("--format=json"))
      expect(JSON.parse(stdout).map((item: string | { tag: string }) => (typeof item === "string" ? item : item.tag))).toEqual(tags);
    const asked = registry.requests.map(({ path }) => path).filter((path) => !path.endsWith("/tags/list"));
    expect(asked.filter((path) => path !== "/v2/app/manifests/v1")).toEqual([]);
  },
);

it("attack: a registry with millions of tags in one page", async () => {
  const page = Buffer.from(JSON.stringify({ name: "app", tags: Array<string>(2_000_000).fill("v1") }));
  await using registry = await startFakeRegistry({
    intercept: (seen, _request, response) => {
      if (!seen.path.endsWith("/tags/list")) return false;
      response.end(page);
      return true;
    },
  });
  for (const flags of [[], ["--digests"], ["--format=json"]]) {
    await expect(printed(lsRemote, ...flags, `${registry.host}/app`)).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: `listing the tags of ${registry.host}/app: there are more than 1000000`,
    });
  }
});

it("attack: a credential helper whose words command the terminal", () => {
  const io = fakeIo({ env: { HOME: home } });
  credentialPlaces({}, io).warn?.(`it said ${evil}`);
  expect(io.printed.stderr).toBe("note: it said gnp.exe\n");
});

describe("JSON", () => {
  it.each<[name: string, value: unknown]>([
    ["controls", { [evil]: [evil] }],
    ["letters of all kinds", "größe 日本 🚀"],
    ["what is escaped already", '\\u202e \\\\u202e "\n\t'],
  ])("stays the same value: %s", (_name, value) => {
    const text = formatJson(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).not.toMatch(acting);
  });

  it.each<[pages: readonly (readonly unknown[])[]]>([[[]], [[[]]], [[["a"]]], [[["a", "b"], [], [{ tag: "c", digest: "d" }]]]])(
    "of a list that grows is that of the whole: %j",
    (pages) => {
      const io = fakeIo();
      const list = jsonList(io.stdout);
      for (const page of pages) list.add(page);
      list.end();
      expect(io.printed.stdout).toBe(formatJson(pages.flat()));
    },
  );
});

it("attack: a table of more rows than a call has arguments", () => {
  const rows = Array<string[]>(300_000).fill(["a", "bb"]);
  expect(formatTable(["X", "Y"], rows)).toHaveLength("X  Y\n".length + rows.length * "a  bb\n".length);
});
