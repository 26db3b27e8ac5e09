import { describe, expect, it } from "vitest";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { failureOf, testRepository } from "./test-repository.ts";

async function pagesOf(iterable: AsyncIterable<readonly string[]>): Promise<string[][]> {
  const pages: string[][] = [];
  for await (const page of iterable) pages.push([...page]);
  return pages;
}

/** A registry whose repository "app" answers tags/list with this. */
function answering(status: number, body: string, headers: Record<string, string> = {}): FakeRegistryOptions {
  return {
    intercept: (_seen, _request, response) => {
      response.writeHead(status, headers).end(body);
      return true;
    },
  };
}

describe("tags", () => {
  it.each<[linkForm: "relative" | "absolute" | "path-only"]>([["relative"], ["absolute"], ["path-only"]])(
    "come page by page with %s links",
    async (linkForm) => {
      await using registry = await startFakeRegistry({ pageSize: 2, linkForm });
      const image = await fakeImage();
      for (const tag of ["a", "b", "c", "d", "e"]) registry.putImage("team/app", tag, image);
      await using test = testRepository(registry.host, "team/app");
      expect(await pagesOf(test.repository.tags())).toEqual([["a", "b"], ["c", "d"], ["e"]]);
      expect(registry.requests[0]?.query).toEqual({ n: "1000" });
    },
  );

  it.each<["[]" | "null"]>([["[]"], ["null"]])("of an empty repository are none, said as %s", async (emptyTags) => {
    await using registry = await startFakeRegistry({ emptyTags });
    registry.content.repository("app");
    await using test = testRepository(registry.host, "app");
    expect(await pagesOf(test.repository.tags())).toEqual([]);
  });

  it("stop being asked for when the loop is left", async () => {
    await using registry = await startFakeRegistry({ pageSize: 1 });
    const image = await fakeImage();
    for (const tag of ["a", "b", "c"]) registry.putImage("app", tag, image);
    await using test = testRepository(registry.host, "app");
    for await (const page of test.repository.tags()) {
      expect(page).toEqual(["a"]);
      break;
    }
    expect(registry.requests.length).toBe(1);
  });

  it.each<[name: string, options: FakeRegistryOptions, code: string, message: string]>([
    ["no JSON", answering(200, "<html>"), "REGISTRY_PROTOCOL", "the answer is no JSON"],
    ["no tags", answering(200, "{}"), "REGISTRY_PROTOCOL", "the answer holds no list of tags"],
    ["other things than texts", answering(200, '{"tags":["a",1]}'), "REGISTRY_PROTOCOL", "the answer holds no list of tags"],
    [
      "a circle",
      answering(200, '{"tags":["a"]}', { link: "<list?n=1000>; rel=next" }),
      "REGISTRY_PROTOCOL",
      "the list leads back to a page that was read",
    ],
  ])("with %s are an error", async (_name, options, code, message) => {
    await using registry = await startFakeRegistry(options);
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(pagesOf(test.repository.tags()))).toMatchObject({
      code,
      message: `listing the tags of ${registry.host}/app: ${message}`,
    });
  });

  it("of a repository that is not there are an error", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(pagesOf(test.repository.tags()))).toMatchObject({ code: "REGISTRY_NOT_FOUND", status: 404 });
  });

  it("are asked of the registry itself, not of its mirrors", async () => {
    await using mirror = await startFakeRegistry();
    await using registry = await startFakeRegistry();
    registry.putImage("app", "a", await fakeImage());
    await using test = testRepository(registry.host, "app", { settings: { hosts: { [registry.host]: { mirrors: [mirror.url] } } } });
    expect(await pagesOf(test.repository.tags())).toEqual([["a"]]);
    expect(mirror.requests).toEqual([]);
  });
});
