import { describe, expect, it } from "vitest";
import { transferBars } from "../../../builder/progress/transfer-bars.ts";
import { transferLines } from "../../../builder/progress/transfer-lines.ts";
import type { TransferRenderer } from "../../../builder/progress/transfer-renderer.ts";
import { transferDisplay } from "../../../builder/progress/transfers.ts";
import { digestOf } from "../../../store/digest.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";

const digest = digestOf("layer");
const title = `layer ${digest.slice(7, 19)}`;

const event = (state: TransferEvent["state"], more: Partial<TransferEvent> = {}): TransferEvent => ({
  type: "transfer",
  direction: "pull",
  what: "layer",
  digest,
  repository: "docker.io/library/app",
  state,
  doneBytes: 0,
  sizeBytes: 45_200_000,
  ...more,
});
const nth = (n: number) => digestOf(String(n));
const titleOf = (n: number) => `layer ${nth(n).slice(7, 19)}`;

/** What is written, a text for each write. Numbers let so many milliseconds pass, with the renderer's ticks. */
function play(
  make: (io: { write: (text: string) => void; now: () => number }) => TransferRenderer,
  script: readonly (TransferEvent | number)[],
): string[] {
  const written: string[] = [];
  let time = 0;
  const renderer = make({ write: (text) => written.push(text), now: () => time });
  for (const entry of script) {
    if (typeof entry === "number") {
      for (const end = time + entry; time < end; ) {
        time = Math.min(end, time + renderer.tickMs);
        renderer.tick();
      }
    } else renderer.handle(entry);
  }
  renderer.close();
  renderer.close();
  return written;
}

describe("lines", () => {
  const lines = (...script: (TransferEvent | number)[]) => play(transferLines, script).join("");

  it.each<[name: string, script: (TransferEvent | number)[], text: string]>([
    [
      "a large layer: its beginning and its end",
      [
        event("start"),
        event("progress", { doneBytes: 100 }),
        3200,
        event("progress", { doneBytes: 20_000_000 }),
        event("done", { doneBytes: 45_200_000 }),
      ],
      `pulling ${title}, 45.2 MB\npulled ${title}, 45.2 MB in 3.2 s\n`,
    ],
    [
      "a small layer: its end",
      [event("start", { direction: "push", sizeBytes: 512 }), event("done", { direction: "push", sizeBytes: 512 })],
      `pushed ${title}, 512 B in 0.0 s\n`,
    ],
    ["a layer that is there, however large", [event("start"), event("present")], `${title} is there already\n`],
    [
      "a layer that is mounted",
      [event("start", { sizeBytes: 1 }), event("mounted", { sizeBytes: 1 })],
      `${title} mounted from another repository\n`,
    ],
    [
      "manifests and configs: nothing",
      [event("start", { what: "manifest", sizeBytes: 1 }), event("done", { what: "manifest", sizeBytes: 1 })],
      "",
    ],
    [
      "a retry, whatever it is of",
      [event("start", { what: "config", sizeBytes: 1 }), event("retry", { what: "config", message: "the connection broke" })],
      `config ${digest.slice(7, 19)}: trying again: the connection broke\n`,
    ],
    ["a failure", [event("start", { sizeBytes: 1 }), event("failed", { message: "it is gone" })], `${title} failed\n`],
    [
      "a server's escape sequences: nothing of them",
      [event("start", { sizeBytes: 1 }), event("retry", { message: "\x1b]0;owned\x07\x1b[2Jgone\r\n" })],
      `${title}: trying again: gone \n`,
    ],
  ])("%s", (_name, script, text) => {
    expect(lines(...script)).toBe(text);
  });

  it("are never silent for 15 s", () => {
    const other = { digest: nth(1), direction: "push" } as const;
    expect(lines(event("start"), event("start", other), event("progress", { doneBytes: 12_000_000 }), 15_000)).toBe(
      `pulling ${title}, 45.2 MB\npulling ${title}, 12.0 MB of 45.2 MB\npushing ${titleOf(1)}, 0 B of 45.2 MB\n`,
    );
    expect(lines(16_000)).toBe("… 15 s\n");
  });

  it("keep the same blob of two repositories apart", () => {
    const both = [event("start", { sizeBytes: 1 }), event("start", { sizeBytes: 1, repository: "docker.io/library/other" })];
    expect(lines(...both, event("present", { sizeBytes: 1 }), 15_000)).toBe(`${title} is there already\npulling ${title}, 0 B of 1 B\n`);
  });
});

describe("bars", () => {
  const screen = { columns: 80, rows: 24 };
  const bars = (script: readonly (TransferEvent | number)[], size = screen) =>
    play((io) => transferBars(io, { colors: false, screen: () => size }), script);
  /** The last picture before the end. */
  const picture = (script: readonly (TransferEvent | number)[], size = screen) =>
    (bars(script, size).at(-3) ?? "")
      .replace(/\x1b\[[0-?]*[@-~]|\r/g, "")
      .split("\n")
      .slice(0, -1);

  it("grow", () => {
    expect(picture([event("start"), event("progress", { doneBytes: 22_600_000 }), 100])).toEqual([
      `↓ ${title} ██████████░░░░░░░░░░ 22.6 MB/45.2 MB`,
    ]);
    expect(picture([event("start", { direction: "push", sizeBytes: 0 }), 100])).toEqual([`↑ ${title} ████████████████████ 0 B/0 B`]);
  });

  it("say why they begin again, until they go on", () => {
    const retried = [event("start"), event("retry", { message: "reset\x1b[2J" }), 100];
    expect(picture(retried)).toEqual([`↓ ${title} ░░░░░░░░░░░░░░░░░░░░ 0 B/45.2 MB trying again: reset`]);
    expect(picture([...retried, event("progress"), 100])).toEqual([`↓ ${title} ░░░░░░░░░░░░░░░░░░░░ 0 B/45.2 MB`]);
  });

  it("leave a line for each layer above them", () => {
    const text = bars([
      event("start"),
      ...["present", "mounted", "failed"].flatMap((state, n) => [
        event("start", { digest: nth(n) }),
        event(state as TransferEvent["state"], { digest: nth(n), message: "it is gone" }),
      ]),
      1000,
      event("done"),
    ]).join("");
    expect(text.replace(/\x1b\[[0-?]*[@-~]|\r/g, "").split("\n")).toEqual([
      `= ${titleOf(0)} is there already`,
      `= ${titleOf(1)} mounted from another repository`,
      `✗ ${titleOf(2)} failed`,
      `↓ ${title} ░░░░░░░░░░░░░░░░░░░░ 0 B/45.2 MB`,
      `✓ ${title} 45.2 MB 1.0 s`,
      "",
    ]);
  });

  it.each([
    [24, 10, "  and 20 more"],
    [6, 4, "  and 26 more"],
    [2, 1, "  and 29 more"],
  ])("fit on a screen of %i rows", (rows, shown, rest) => {
    const starts = Array.from({ length: 30 }, (_, n) => event("start", { digest: nth(n) }));
    const lines = picture([...starts, 100], { columns: 80, rows });
    expect(lines).toHaveLength(shown + 1);
    expect(lines.at(-1)).toBe(rest);
  });

  it("fit in narrow columns", () => {
    for (const line of picture([event("start"), event("retry", { message: "a long story ".repeat(20) }), 100], { columns: 30, rows: 24 })) {
      expect(line.length).toBeLessThan(30);
    }
  });

  it("leave the cursor as it was", () => {
    const text = bars([event("start"), 100]).join("");
    expect(text.match(/\x1b\[\?25[lh]/g)).toEqual(["\x1b[?25l", "\x1b[?25h"]);
    expect(text.endsWith("\x1b[?25h")).toBe(true);
    expect(bars([])).toEqual([]);
  });

  it("write nothing while nothing changes", () => {
    expect(bars([event("start"), 5000])).toHaveLength(bars([event("start"), 100]).length);
  });
});

describe("the display", () => {
  const io = (isTTY: boolean, env: Record<string, string> = {}) => {
    const written: string[] = [];
    return { written, stderr: { isTTY, columns: 80, rows: 24, write: (text: string) => written.push(text) }, env };
  };
  const show = (to: ReturnType<typeof io>, options = {}) => {
    const display = transferDisplay(to, options);
    display.onEvent(event("start", { sizeBytes: 1 }));
    display.onEvent(event("present", { sizeBytes: 1 }));
    display.close();
    display.close();
    display.onEvent(event("start"));
    return to.written.join("");
  };

  it.each<[name: string, to: ReturnType<typeof io>, options: object, expected: RegExp]>([
    ["is lines in a file", io(false), {}, /^layer [0-9a-f]{12} is there already\n$/],
    ["is bars on a terminal", io(true), {}, /\x1b\[\?25l.*is there already.*\x1b\[\?25h$/s],
    ["is lines on a dumb terminal", io(true, { TERM: "dumb" }), {}, /^layer [0-9a-f]{12} is there already\n$/],
    ["has no colours where none are wanted", io(true, { NO_COLOR: "1" }), {}, /^(?!.*\x1b\[3\dm)/s],
    ["is nothing where that is wanted", io(true), { quiet: true }, /^$/],
  ])("%s", (_name, to, options, expected) => {
    expect(show(to, options)).toMatch(expected);
  });

  it.each([[false], [true]])("shows notes where they come (on a terminal: %s), above whatever moves", (isTTY) => {
    const to = io(isTTY);
    const display = transferDisplay(to);
    display.onNote("first\x1b[2J");
    display.onEvent(event("start", { sizeBytes: 1 }));
    display.onEvent(event("present", { sizeBytes: 1 }));
    display.close();
    display.onNote("last");
    const text = to.written.join("").replace(/\x1b\[[^a-zA-Z]*[a-zA-Z]|\r/g, "");
    expect(text).toMatch(/^note: first\n(= )?layer [0-9a-f]{12} is there already\nnote: last\n$/);
  });

  it("shows notes also where nothing else is wanted", () => {
    const to = io(true);
    transferDisplay(to, { quiet: true }).onNote("one");
    expect(to.written).toEqual(["note: one\n"]);
  });

  it("leaves no listener behind", () => {
    const before = process.listenerCount("exit");
    show(io(true));
    expect(process.listenerCount("exit")).toBe(before);
  });
});
