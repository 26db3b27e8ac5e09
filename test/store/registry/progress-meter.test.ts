import { expect, it } from "vitest";
import { progressMeter } from "../../../store/registry/progress-meter.ts";

it("reports ten times a second at most, and always the end", () => {
  const reported: number[] = [];
  let time = 0;
  const meter = progressMeter(
    (doneBytes) => reported.push(doneBytes),
    () => time,
  );
  for (let doneBytes = 0; doneBytes < 100; doneBytes += 1) {
    meter.at(doneBytes);
    time += 10;
  }
  meter.end(100);
  expect(reported).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
});

it("reports to nobody", () => {
  const meter = progressMeter(undefined);
  meter.at(1);
  meter.end(2);
});
