import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { imageHint } from "../../builder/image-hint.ts";

const text = `FROM scratch AS build
FROM scratch AS Assets
COPY --from=x /a /
FROM scratch AS last
`;

/** The hint for a name that stands on a line of the text: a FROM, or what is on line 3. */
function hintOf(image: string, line: 1 | 2 | 3 | 4, contexts: Readonly<Record<string, string | undefined>> = {}, code = "NOT_FOUND") {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const all = dockerfile.stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  const instruction = all.find(({ range }) => range.start.line === line);
  if (instruction === undefined) throw new Error(`nothing begins on line ${line}`);
  return imageHint(code, { image, instruction, dockerfile, contexts: new Map(Object.entries(contexts)) });
}

describe("the hint for an image that cannot be had", () => {
  it.each<[name: string, hint: ReturnType<typeof hintOf>, expected: string | undefined]>([
    ["an earlier stage", hintOf("biuld", 3), 'did you mean the stage "build"?'],
    ["one in another case", hintOf("asets", 4), 'did you mean the stage "Assets"?'],
    ["not the stage itself", hintOf("assts", 3), 'no stage or context is called "assts", so it was taken for an image'],
    ["not a later stage that is only like it", hintOf("lst", 3), 'no stage or context is called "lst", so it was taken for an image'],
    ["a later stage of that name", hintOf("last", 2), 'the stage "last" comes later: put it before line 2'],
    ["a context", hintOf("vendr", 1, { vendor: undefined }), 'did you mean the context "vendor"?'],
    ["a stage before a context", hintOf("biuld", 3, { biult: undefined }), 'did you mean the stage "build"?'],
    ["a known image", hintOf("alphine", 1), "did you mean alpine?"],
    ["a known image, with its tag", hintOf("pyhton:3.12-slim", 1), "did you mean python:3.12-slim?"],
    ["a known image, with its digest", hintOf("debain@sha256:1", 1), "did you mean debian@sha256:1?"],
    ["nothing: a known image itself", hintOf("debian:13", 3), undefined],
    ["nothing: a registry's", hintOf("host.example/alphine", 3), undefined],
    ["nothing: the first FROM can only be an image", hintOf("ours", 1), undefined],
    [
      "the first FROM where there are contexts",
      hintOf("ours", 1, { else: undefined }),
      'no stage or context is called "ours", so it was taken for an image',
    ],
    ["nothing: the image of a context", hintOf("ours", 3, { else: "ours" }), undefined],
    ["nothing: it is for other platforms", hintOf("biuld", 3, {}, "PLATFORM_NOT_FOUND"), undefined],
    [
      "a layout",
      hintOf("oci:/srv/images", 1, {}, "INVALID_REFERENCE"),
      "an image layout is given as a context: --build-context NAME=oci-layout:///srv/images, and then it is NAME",
    ],
    [
      "an archive",
      hintOf("docker-archive:app.tar", 1),
      "an archive is loaded first: tsbuild load FILE; then the image has the name that it has there",
    ],
    [
      "another tool's store",
      hintOf("containers-storage:localhost/app", 1, {}, "INVALID_REFERENCE"),
      "images of other tools come as archives: save it there, load it with tsbuild load FILE, and use its name",
    ],
  ])("names %s", (_name, hint, expected) => {
    expect(hint).toBe(expected);
  });
});
