import type { BuildEvent } from "./event.ts";
import { describeImage } from "./image-result.ts";
import { type LineSplitter, lineSplitter } from "./line-splitter.ts";
import { livePicture } from "./live-picture.ts";
import { formatDuration } from "./measures.ts";
import { type Paint, paint } from "./paint.ts";
import type { Renderer, RendererIo } from "./renderer.ts";
import type { Screen } from "./screen.ts";
import { describeResult } from "./step-result.ts";
import { afterReturns, clip, harmless } from "./terminal-text.ts";
import { transferBarLines, transferEnd } from "./transfer-bars.ts";
import { transferRows } from "./transfer-rows.ts";

/** At most ten pictures a second. */
const tickMs = 100;
/** Output lines shown below one running step. */
const windowLines = 6;

interface RunningStep {
  readonly title: string;
  readonly atMs: number;
  readonly startedMs: number;
  readonly out: LineSplitter;
  readonly err: LineSplitter;
  /** The last lines of its output, oldest first. */
  readonly lines: string[];
  message?: string;
}

/**
 * A live picture at the bottom of a terminal: the running steps with their time and last output; whatever has ended stands above it as
 * one line for good.
 */
export function ttyRenderer({ write, now }: RendererIo, options: { readonly colors: boolean; readonly screen: () => Screen }): Renderer {
  const style = paint(options.colors);
  const startedMs = now();
  const titles = new Map<number, string>();
  const running = new Map<number, RunningStep>();
  const picture = livePicture(write, () => options.screen().columns);
  const transfers = transferRows(now);
  let total = 0;
  let ended = 0;

  const say = (line: string): void => picture.say(line);

  const endStep = (event: Extract<BuildEvent, { type: "step-end" }>): void => {
    const step = running.get(event.step);
    const title = step?.title ?? titles.get(event.step) ?? `#${event.step}`;
    running.delete(event.step);
    ended++;
    const result = harmless(describeResult(event, step?.atMs), {
      colors: false,
    });
    say(`${markOf(event.outcome, style)} ${title} ${style.dim(result)}`);
  };

  return {
    tickMs,
    handle(event) {
      switch (event.type) {
        case "plan":
          for (const step of event.steps) titles.set(step.id, harmless(step.title, { colors: false }));
          total = event.steps.length;
          break;
        case "step-start": {
          const title = titles.get(event.step) ?? `#${event.step}`;
          running.set(event.step, {
            title,
            atMs: event.atMs,
            startedMs: now(),
            out: lineSplitter(),
            err: lineSplitter(),
            lines: [],
          });
          break;
        }
        case "step-output": {
          const step = running.get(event.step);
          if (step === undefined) break;
          const lines = (event.stream === "stdout" ? step.out : step.err).push(event.chunk);
          step.lines.push(...lines.slice(-windowLines));
          step.lines.splice(0, step.lines.length - windowLines);
          break;
        }
        case "step-progress": {
          const step = running.get(event.step);
          if (step !== undefined) step.message = event.message;
          break;
        }
        case "step-end":
          endStep(event);
          break;
        case "transfer": {
          const line = transferEnd(event, transfers, now(), style);
          if (line !== undefined) say(clip(line, options.screen().columns - 1));
          break;
        }
        case "note":
          say(`${style.cyan("note:")} ${harmless(event.message, { colors: false })}`);
          break;
        case "warning": {
          const where = event.range === undefined ? "" : `line ${event.range.start.line}: `;
          say(`${style.yellow("warning:")} ${where}${harmless(event.message, { colors: false })}`);
          break;
        }
        case "image":
          say(`${style.bold("image")} ${describeImage(event)}`);
          for (const name of event.pushed) say(`${style.bold("pushed")} ${harmless(name, { colors: false })}`);
          break;
      }
    },
    tick() {
      const steps = [...running.values()];
      const moving = transfers.all();
      if (steps.length === 0 && moving.length === 0) return picture.draw([]);
      const screen = options.screen();
      const bars = transferBarLines(moving, screen, style);
      const head = `${style.bold("building")} ${ended}/${total} ${style.dim(formatDuration(now() - startedMs))}`;
      const rows = Math.max(2, screen.rows - bars.length);
      picture.draw([clip(head, screen.columns - 1), ...liveLines(steps, now(), { ...screen, rows }, style), ...bars]);
    },
    close: () => picture.close(),
  };
}

function liveLines(steps: readonly RunningStep[], nowMs: number, screen: Screen, style: Paint): string[] {
  // One row for the head, one so that the cursor's own line never scrolls the picture.
  const free = Math.max(1, screen.rows - 2);
  const visible = steps.slice(0, free);
  const perStep = Math.min(windowLines, Math.floor((free - visible.length) / visible.length));
  const lines: string[] = [];
  for (const step of visible) {
    const time = formatDuration(nowMs - step.startedMs);
    const title = clip(step.title, screen.columns - time.length - 3);
    lines.push(`${style.cyan("▸")} ${title} ${style.dim(time)}`);
    if (perStep > 0) for (const line of windowOf(step, perStep)) lines.push(clip(`  ${line}`, screen.columns - 1));
  }
  return lines;
}

function windowOf(step: RunningStep, count: number): string[] {
  const unfinished = [step.out.unfinished, step.err.unfinished].filter((line) => line !== "");
  const lines = [...step.lines, ...unfinished].map((line) => harmless(afterReturns(line), { colors: true }));
  if (step.message !== undefined) lines.push(harmless(step.message, { colors: false }));
  return lines.slice(-count);
}

function markOf(outcome: Extract<BuildEvent, { type: "step-end" }>["outcome"], style: Paint): string {
  switch (outcome) {
    case "done":
      return style.green("✓");
    case "cached":
      return style.green("=");
    case "failed":
      return style.red("✗");
    case "cancelled":
      return style.yellow("–");
  }
}
