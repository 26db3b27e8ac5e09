import type { BuildEvent, StepInfo } from "./event.ts";
import { describeImage } from "./image-result.ts";
import { type LineSplitter, lineSplitter } from "./line-splitter.ts";
import { formatSeconds } from "./measures.ts";
import { noteLine } from "./note-line.ts";
import type { Renderer, RendererIo } from "./renderer.ts";
import { describeResult } from "./step-result.ts";
import { harmless } from "./terminal-text.ts";
import { transferLines } from "./transfer-lines.ts";

const tickMs = 1000;
/** No longer silence than this: CI systems end jobs that print nothing. */
const longestSilenceMs = 15_000;

interface RunningStep {
  /** In the build's clock. */
  readonly atMs: number;
  /** In ours. */
  readonly startedMs: number;
  readonly out: LineSplitter;
  readonly err: LineSplitter;
  lastPrintMs: number;
  message?: string;
}

/**
 * Lines for logs: one when a step starts, its whole output with "#id " in front, one when it ends, and a sign of life from every
 * step that is silent for 15 s. `raw` leaves escape sequences in the output as they are, which is right for anything but a terminal.
 */
export function plainRenderer({ write, now }: RendererIo, options: { readonly raw: boolean }): Renderer {
  const titles = new Map<number, string>();
  const running = new Map<number, RunningStep>();
  const startedMs = now();
  let lastPrintMs = startedMs;

  const print = (text: string): void => {
    lastPrintMs = now();
    write(text);
  };
  const transfers = transferLines({ write: print, now });
  const printLines = (id: number, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    const step = running.get(id);
    if (step !== undefined) step.lastPrintMs = now();
    print(lines.map((line) => `#${id} ${options.raw ? line : harmless(line, { colors: true })}\n`).join(""));
  };
  const flush = (id: number, step: RunningStep): void => {
    const rest = [step.out.rest(), step.err.rest()];
    printLines(
      id,
      rest.filter((line) => line !== undefined),
    );
  };
  const announce = (id: number): void => {
    const title = titles.get(id);
    if (title !== undefined) print(`#${id} ${title}\n`);
    titles.delete(id);
  };

  const handle = (event: BuildEvent): void => {
    switch (event.type) {
      case "plan":
        for (const step of event.steps) titles.set(step.id, titleOf(step));
        break;
      case "step-start":
        announce(event.step);
        running.set(event.step, {
          atMs: event.atMs,
          startedMs: now(),
          out: lineSplitter(),
          err: lineSplitter(),
          lastPrintMs: now(),
        });
        break;
      case "step-output": {
        const step = running.get(event.step);
        if (step !== undefined) printLines(event.step, (event.stream === "stdout" ? step.out : step.err).push(event.chunk));
        break;
      }
      case "step-progress": {
        const step = running.get(event.step);
        if (step !== undefined) step.message = event.message;
        break;
      }
      case "step-end": {
        const step = running.get(event.step);
        announce(event.step);
        if (step !== undefined) flush(event.step, step);
        running.delete(event.step);
        print(`#${event.step} ${describeResult(event, step?.atMs)}\n`);
        break;
      }
      case "transfer":
        transfers.handle(event);
        break;
      case "note":
      case "warning":
        print(noteLine(event));
        break;
      case "image":
        print(`image ${describeImage(event)}\n`);
        for (const name of event.pushed) print(`pushed ${name}\n`);
        break;
    }
  };

  return {
    tickMs,
    handle,
    tick() {
      // A tick may come late by its own period.
      const isSilent = (sinceMs: number): boolean => now() - sinceMs > longestSilenceMs - tickMs;
      for (const [id, step] of running) {
        if (!isSilent(step.lastPrintMs)) continue;
        flush(id, step);
        const message = step.message === undefined ? "" : `, ${harmless(step.message, { colors: false })}`;
        printLines(id, [`… ${formatSeconds(now() - step.startedMs)}${message}`]);
      }
      if (isSilent(lastPrintMs)) transfers.tick();
      if (isSilent(lastPrintMs)) print(`… ${formatSeconds(now() - startedMs)}\n`);
    },
    close() {
      for (const [id, step] of running) flush(id, step);
      running.clear();
    },
  };
}

function titleOf(step: StepInfo): string {
  return harmless(step.title, { colors: false });
}
