import { beforeEach, describe, expect, it } from "vitest";
import { lsRemote } from "../../../builder/cli/ls-remote.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let registry: FakeRegistry;
let digests: readonly string[];
beforeEach(async () => {
  registry = await startFakeRegistry({ pageSize: 2 });
  const images = await Promise.all(["1", "2", "3"].map((text) => fakeImage({ layers: [{ f: text }] })));
  for (const [i, image] of images.entries()) registry.putImage("team/app", `v${i + 1}`, image);
  digests = images.map(({ digest }) => digest);
  return () => registry.close();
});

async function run(...args: string[]): Promise<string> {
  const io = fakeIo({ env: { HOME: temporaryDirectory("home") } });
  expect(await lsRemote.main(args, io)).toBe(0);
  expect(io.printed.stderr).toBe("");
  return io.printed.stdout;
}

describe("ls-remote", () => {
  it("lists the tags of all pages", async () => {
    expect(await run(`${registry.host}/team/app`)).toBe("v1\nv2\nv3\n");
    expect(JSON.parse(await run("--format", "json", `${registry.host}/team/app`))).toEqual(["v1", "v2", "v3"]);
  });

  it("lists the one that is named", async () => {
    expect(await run(`${registry.host}/team/app:v2`)).toBe(`TAG  DIGEST\nv2   ${digests[1]}\n`);
    expect(JSON.parse(await run("--format=json", `${registry.host}/team/app@${digests[0]}`))).toEqual([{ digest: digests[0] }]);
    await expect(run(`${registry.host}/team/app:v9`)).rejects.toMatchObject({ code: "REGISTRY_NOT_FOUND" });
  });

  it("lists what each tag means", async () => {
    const [one, two, three] = digests;
    expect(await run("--digests", `${registry.host}/team/app`)).toBe(`TAG  DIGEST\nv1   ${one}\nv2   ${two}\nv3   ${three}\n`);
    expect(JSON.parse(await run("--digests", "--format=json", `${registry.host}/team/app`))).toEqual([
      { tag: "v1", digest: one },
      { tag: "v2", digest: two },
      { tag: "v3", digest: three },
    ]);
  });

  it("lists what refers to an image", async () => {
    const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: digests[0], size: 1 };
    const signature = await fakeImage({ layers: [], manifest: { subject, artifactType: "application/example.signature" } });
    registry.putImage("team/app", "signature", signature);
    expect(await run("--referrers", `${registry.host}/team/app:v1`)).toContain(`\n${signature.digest}  application/example.signature  `);
    expect(
      JSON.parse(await run("--referrers", "--format=json", "--artifact-type=application/other", `${registry.host}/team/app:v1`)),
    ).toEqual([]);
    expect(await run("--referrers", `${registry.host}/team/app:v2`)).toBe("DIGEST  TYPE  SIZE\n");
  });

  it("keeps a registry's words from commanding the terminal", async () => {
    const hostile = await startFakeRegistry({
      intercept: (seen, _request, response) => {
        if (!seen.path.endsWith("/tags/list")) return false;
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ name: "app", tags: ["\u001b[2Jv1"] }));
        return true;
      },
    });
    try {
      const io = fakeIo({ env: { HOME: temporaryDirectory("home") } });
      await lsRemote.main([`${hostile.host}/app`], io).catch(() => undefined);
      expect(io.printed.stdout).not.toContain("\u001b");
    } finally {
      await hostile.close();
    }
  });

  it.each<[string, string[], string, string]>([
    [
      "an image that is not there",
      ["--referrers", "HOST/team/app:gone"],
      "REGISTRY_NOT_FOUND",
      "listing referrers of HOST/team/app:gone: the registry has no such image",
    ],
    [
      "a type without --referrers",
      ["--artifact-type", "x", "HOST/team/app"],
      "INVALID_VALUE",
      "reading --artifact-type: it needs --referrers",
    ],
    ["no repository", ["HOST/Team"], "INVALID_REFERENCE", 'reading the image name "HOST/Team": "Team" must be lower case'],
  ])("refuses %s", async (_, args, code, message) => {
    const here = (text: string) => text.replace("HOST", registry.host);
    const io = fakeIo({ env: { HOME: temporaryDirectory("home") } });
    await expect(lsRemote.main(args.map(here), io)).rejects.toMatchObject({ code, message: here(message) });
  });
});
