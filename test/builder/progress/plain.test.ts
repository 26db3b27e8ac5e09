import { describe, expect, it } from "vitest";
import type { BuildEvent } from "../../../builder/progress/event.ts";
import { plainRenderer } from "../../../builder/progress/plain.ts";
import { end, image, output, plan, play, start, warning } from "./script.ts";

function plain(script: readonly (BuildEvent | number)[], raw = true): string {
  return play((io) => plainRenderer(io, { raw }), script).join("");
}

describe("plain progress", () => {
  it("shows a build from start to end", () => {
    const usage = { wallMs: 3210, cpuMs: 2900, peakMemoryBytes: 120_000_000, readBytes: 0, writtenBytes: 4096, peakPids: 12 };
    const text = plain([
      plan("[1/4] FROM debian", "[2/4] RUN npm ci", "[3/4] COPY . .", "[4/4] RUN true"),
      { type: "note", message: "no cgroup can be made here: nothing is limited or measured" },
      warning,
      start(1, 1000),
      end(1, "cached", 1001),
      start(2, 1001),
      output(2, "added 57 packages\n"),
      output(2, "npm warn old\n", "stderr"),
      end(2, "done", 4211, { usage }),
      start(3, 4211),
      end(3, "done", 4300, { note: "same content as before: later steps stay cached" }),
      start(4, 4300),
      end(4, "done", 4400, { usage: { wallMs: 100, peakMemoryBytes: 1_200_000, peakMemoryOf: "largest" } }),
      image,
    ]);
    expect(text).toBe(`note: no cgroup can be made here: nothing is limited or measured
warning: line 3: stage names are compared in lower case
#1 [1/4] FROM debian
#1 cached
#2 [2/4] RUN npm ci
#2 added 57 packages
#2 npm warn old
#2 done 3.2 s, 2.9 s cpu, 114 MiB memory, 4.10 kB written, 12 processes
#3 [3/4] COPY . .
#3 done 0.1 s, same content as before: later steps stay cached
#4 [4/4] RUN true
#4 done 0.1 s, 1.14 MiB memory (largest process)
image sha256:${"1a".repeat(32)}, 45.2 MB: app:latest, app:v1
`);
  });

  it("keeps the lines of parallel steps apart and whole", () => {
    const text = plain([
      plan("a", "b"),
      start(1),
      start(2),
      output(1, "one "),
      output(2, "zwei\n"),
      output(1, "eins\r\ntwo"),
      output(1, "problem\n", "stderr"),
      end(1, "failed", 500),
      output(2, "drei"),
      end(2, "cancelled", 600),
    ]);
    expect(text).toBe("#1 a\n#2 b\n#2 zwei\n#1 one eins\n#1 problem\n#1 two\n#1 failed 0.5 s\n#2 drei\n#2 cancelled 0.6 s\n");
  });

  it("puts characters together that were cut in two", () => {
    const bytes = Buffer.from("größe\n");
    expect(plain([plan("a"), start(1), output(1, bytes.subarray(0, 3)), output(1, bytes.subarray(3))])).toBe("#1 a\n#1 größe\n");
  });

  it("names steps that were never started", () => {
    expect(plain([plan("a"), end(1, "cached")])).toBe("#1 a\n#1 cached\n");
  });

  it("gives a sign of life before 15 s of silence are over, of every step", () => {
    const text = plain([
      plan("a", "b"),
      start(1),
      10_000,
      start(2),
      { type: "step-progress", step: 2, message: "120 MB packed" },
      output(1, "still "),
      16_000,
      output(1, "here\n"),
      5_000,
    ]);
    expect(text).toBe("#1 a\n#2 b\n#1 still \n#1 … 15 s\n#2 … 15 s, 120 MB packed\n#1 here\n");
  });

  it("never is silent for longer than 15 s, with or without steps", () => {
    const times: number[] = [];
    let nowMs = 0;
    const renderer = plainRenderer({ write: () => void times.push(nowMs), now: () => nowMs }, { raw: true });
    const wait = (ms: number) => {
      for (const until = nowMs + ms; nowMs < until; ) {
        nowMs += renderer.tickMs;
        renderer.tick();
      }
    };
    wait(50_000);
    renderer.handle(plan("a"));
    renderer.handle(start(1));
    wait(100_000);
    renderer.handle(end(1, "done", 100_000));
    wait(20_000);
    const gaps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(15_000);
    expect(times.length).toBe(3 + 2 + 6 + 1);
  });

  it("prints ten megabytes without a line end in pieces and loses none", () => {
    const chunk = "x".repeat(100_000);
    const script = [plan("a"), start(1), ...Array.from({ length: 100 }, () => output(1, chunk)), end(1, "done")];
    const text = plain(script);
    expect(text.match(/x/g)?.length).toBe(10_000_000);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(200_100);
  });

  it("leaves output alone where it goes to a file, and makes it harmless on a terminal", () => {
    const script = [plan("a"), start(1), output(1, "\x1b[2Jgone \x1b[31mred\x1b]0;title\x07\r 50%\n"), end(1, "done")];
    expect(plain(script, true)).toBe("#1 a\n#1 \x1b[2Jgone \x1b[31mred\x1b]0;title\x07\r 50%\n#1 done 0.0 s\n");
    expect(plain(script, false)).toBe("#1 a\n#1 gone \x1b[31mred 50%\x1b[0m\n#1 done 0.0 s\n");
  });

  it("does not let a title or a note write lines of its own", () => {
    const text = plain([plan("RUN x\n#2 done 1.0 s"), { type: "note", message: "a\nb\x1b[2J" }, start(1), end(1, "done", 100)]);
    expect(text).toBe("note: a b\n#1 RUN x #2 done 1.0 s\n#1 done 0.1 s\n");
  });
});
