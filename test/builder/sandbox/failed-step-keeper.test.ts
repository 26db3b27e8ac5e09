import { describe, expect, it } from "vitest";
import { failedStepKeeper } from "../../../builder/sandbox/failed-step-keeper.ts";
import { digestOf } from "../../../store/digest.ts";

const name = digestOf("build");
const { signal } = new AbortController();

describe("failed steps of one build", () => {
  it("are kept one at a time, and no other after the first that is", async () => {
    const keep = failedStepKeeper(name);
    const said: string[] = [];
    const full = async () => {
      said.push("full begins");
      await Promise.resolve();
      said.push("full ends");
      throw new Error("no space left");
    };
    const good = (what: string) => async (build: string) => {
      expect(build).toBe(name);
      said.push(what);
    };
    expect(await Promise.all([keep(full, signal), keep(good("first"), signal), keep(good("second"), signal)])).toEqual([
      false,
      true,
      false,
    ]);
    expect(said).toEqual(["full begins", "full ends", "first"]);
  });

  it("are not kept once another failure has stopped the build", async () => {
    const stop = new AbortController();
    const keep = failedStepKeeper(name);
    const kept: string[] = [];
    const first = keep(async () => {
      stop.abort();
      throw new Error("no space left");
    }, stop.signal);
    const second = keep(async () => void kept.push("second"), stop.signal);
    expect([await first, await second, kept]).toEqual([false, false, []]);
  });
});
