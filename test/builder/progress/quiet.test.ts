import { expect, it } from "vitest";
import type { BuildEvent } from "../../../builder/progress/event.ts";
import { quietRenderer } from "../../../builder/progress/quiet.ts";
import { end, image, output, plan, play, start, warning } from "./script.ts";

/** What goes to standard output, and what to standard error. */
function quiet(script: readonly (BuildEvent | number)[]): { readonly results: readonly string[]; readonly said: readonly string[] } {
  const results: string[] = [];
  const said = play(({ write }) => quietRenderer((text) => void results.push(text), write), script);
  return { results, said };
}

it("prints the image id and nothing of how the build goes on", () => {
  const waiting: BuildEvent = { type: "note", message: "waiting for another process, which builds this step", passing: true };
  const check: BuildEvent = { type: "warning", message: "StageNameCasing: lower case", rule: "StageNameCasing" };
  const script = [plan("a"), start(1), output(1, "x\n"), 60_000, waiting, check, end(1, "done"), image];
  expect(quiet(script)).toEqual({ results: [`sha256:${"1a".repeat(32)}\n`], said: [] });
});

it("says what changes the result and what steps can reach", () => {
  const network: BuildEvent = { type: "note", message: "the network is the host's\u001b[2J" };
  const unused: BuildEvent = { type: "warning", message: "build arguments that no ARG declares: VERSON" };
  expect(quiet([network, unused, warning, image])).toEqual({
    results: [`sha256:${"1a".repeat(32)}\n`],
    said: [
      "note: the network is the host's\n",
      "warning: build arguments that no ARG declares: VERSON\n",
      "warning: line 3: stage names are compared in lower case\n",
    ],
  });
});
