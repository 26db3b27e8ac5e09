import { expect, it } from "vitest";
import { rawJsonRenderer } from "../../../builder/progress/rawjson.ts";
import { end, output, plan, play, start } from "./script.ts";

it("raw JSON is one event a line", () => {
  const lines = play(
    ({ write }) => rawJsonRenderer(write),
    [plan("a"), start(1, 5), output(1, "x\ny"), output(1, Uint8Array.of(0xff)), end(1, "done", 9)],
  );
  expect(
    lines.join(""),
  ).toBe(`{"type":"plan","steps":[{"id":1,"title":"a","range":{"start":{"line":3,"column":1},"end":{"line":3,"column":10}}}]}
{"type":"step-start","step":1,"atMs":5}
{"type":"step-output","step":1,"stream":"stdout","text":"x\\ny"}
{"type":"step-output","step":1,"stream":"stdout","base64":"/w=="}
{"type":"step-end","step":1,"outcome":"done","atMs":9}
`);
});

it("attack: output that commands the terminal is the same to programs, and text to the terminal", () => {
  const evil = "\x9b2J\u202egnp.exe\x1b]0;x\x07";
  const [line = ""] = play(({ write }) => rawJsonRenderer(write), [output(1, evil)]);
  expect(JSON.parse(line)).toMatchObject({ text: evil });
  expect(line).toMatch(/^[\x20-\x7e]*\n$/);
});
