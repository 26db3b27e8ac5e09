import { expect, it } from "vitest";
import { formatBytes, formatDuration, formatSeconds } from "../../../builder/progress/measures.ts";

it.each<[number, string]>([
  [0, "0.0 s"],
  [-5, "0.0 s"],
  [49, "0.0 s"],
  [3210, "3.2 s"],
  [59_900, "59.9 s"],
  [59_960, "1 min 0 s"],
  [125_400, "2 min 5 s"],
])("%i ms is %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it("whole seconds have no tenths", () => {
  expect([formatSeconds(15_400), formatSeconds(61_000)]).toEqual(["15 s", "1 min 1 s"]);
});

it.each<[number, string]>([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [4096, "4.10 kB"],
  [7_752_000, "7.75 MB"],
  [77_520_000, "77.5 MB"],
  [775_200_000, "775 MB"],
  [999_600_000, "1.00 GB"],
  [1_250_000_000, "1.25 GB"],
])("%i bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
