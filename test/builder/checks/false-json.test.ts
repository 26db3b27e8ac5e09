import { describe, expect, it } from "vitest";
import { falseJson } from "../../../builder/checks/false-json.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

const messages = (text: string) => falseJson(parseDockerfile(`FROM a\n${text}`, "Dockerfile").stages).map(({ message }) => message);

const quotes = 'strings stand in double quotes (")';

describe("what looks like JSON and is none", () => {
  it.each([
    ["a comma at the end", 'RUN ["echo", "a",]', 'a comma stands in front of the "]"'],
    ["single quotes", "CMD ['echo', 'hi']", quotes],
    ["one word in single quotes", "CMD ['echo']", quotes],
    ["the quotes of a text program", "CMD [“echo”, “hi”]", quotes],
    ["no comma", 'ENTRYPOINT ["a" "b"]', "a comma is missing between two strings"],
    ["no end", 'CMD ["a", "b"', 'the "]" is missing'],
    ["something behind it", 'CMD ["a", "b"] c', 'something stands behind the "]"'],
    ["a backslash", 'CMD ["c:\\app"]', String.raw`a backslash that means itself is written \\`],
    ["blanks inside", 'CMD [ "a", "b", ]', 'a comma stands in front of the "]"'],
    ["HEALTHCHECK", 'HEALTHCHECK CMD ["a",]', 'a comma stands in front of the "]"'],
  ])("is a shell command, and is said to be one: %s", (_name, text, problem) => {
    expect(messages(text)).toEqual([`this is no JSON, so it is a shell command: ${problem}`]);
  });

  it("is the names of volumes", () => {
    expect(messages('VOLUME ["/x"')).toEqual(['this is no JSON, so these are the names of volumes: the "]" is missing']);
  });

  it.each([
    ["JSON", 'RUN ["a", "b"]'],
    ["JSON over two lines", 'CMD [ "a", \\\n "b" ]'],
    ["a test", 'RUN [ "$a" = b ] && c'],
    ["a test of two words", 'RUN [ "$a" = "b, c" ]'],
    ["a test of bash", 'RUN [[ "$a" = "b" ]]'],
    ["a test of a file", "RUN [ -f x ] && y"],
    ["no health check", "HEALTHCHECK NONE"],
    ["volumes", 'VOLUME /x /y\nVOLUME ["/z"]'],
  ])("is not %s", (_name, text) => {
    expect(messages(text)).toEqual([]);
  });
});
