import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lockOptionsOf, noteUnwritten } from "../../../builder/cli/lock-flags.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import type { ContextSource } from "../../../builder/options.ts";
import type { BuildEvent } from "../../../builder/progress/event.ts";
import { contextDirectory } from "../../support/context.ts";
import { thrown } from "./thrown.ts";

type Flags = Parameters<typeof lockOptionsOf>[0];

describe("--lock, --locked and --hermetic", () => {
  const context = contextDirectory({ Dockerfile: "FROM scratch\n" });
  const beside = join(context, "Dockerfile.lock");

  it.each<[name: string, flags: Flags, options: ReturnType<typeof lockOptionsOf>]>([
    ["nothing", {}, { hermetic: false }],
    ["off", { locked: false, hermetic: false }, { hermetic: false }],
    ["--lock: the file is written", { lock: "a.lock" }, { lock: { file: "a.lock", locked: false }, hermetic: false }],
    ["--locked: the file beside the Dockerfile", { locked: true }, { lock: { file: beside, locked: true }, hermetic: false }],
    ["--lock --locked", { lock: "a.lock", locked: true }, { lock: { file: "a.lock", locked: true }, hermetic: false }],
    ["--hermetic is locked", { hermetic: true }, { lock: { file: beside, locked: true }, hermetic: true }],
    ["--lock --hermetic", { lock: "a.lock", hermetic: true }, { lock: { file: "a.lock", locked: true }, hermetic: true }],
  ])("%s", (_name, flags, options) => {
    expect(lockOptionsOf(flags, { context })).toEqual(options);
    expect(lockOptionsOf(flags, { context: { kind: "directory", path: context } })).toEqual(options);
  });

  it.each(["dockerfile", "Containerfile"])("stand beside %s where that is the name", (name) => {
    const directory = contextDirectory({ [name]: "FROM scratch\n" });
    expect(lockOptionsOf({ locked: true }, { context: directory }).lock?.file).toBe(join(directory, `${name}.lock`));
  });

  it("stand beside the file that -f names", () => {
    expect(lockOptionsOf({ locked: true }, { context, dockerfile: { path: "docker/app.Dockerfile" } }).lock?.file).toBe(
      "docker/app.Dockerfile.lock",
    );
  });

  it("leave a Dockerfile that is missing to the build", () => {
    const directory = contextDirectory({});
    expect(lockOptionsOf({ locked: true }, { context: directory }).lock?.file).toBe(join(directory, "Dockerfile.lock"));
  });

  const git: ContextSource = { kind: "git", url: "https://host/app.git" };

  it.each<[name: string, flags: Flags, inputs: Parameters<typeof lockOptionsOf>[1], message: string]>([
    [
      "a Dockerfile from standard input",
      { locked: true },
      { context, dockerfile: { text: "FROM scratch\n" } },
      "reading --locked: the Dockerfile is no file of this machine, beside which a lock file could be",
    ],
    [
      "a context from elsewhere",
      { hermetic: true },
      { context: git },
      "reading --hermetic: the Dockerfile is no file of this machine, beside which a lock file could be",
    ],
  ])("need a name with %s", (_name, flags, inputs, message) => {
    const error = thrown(() => lockOptionsOf(flags, inputs));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: "MISSING_VALUE", message, hint: "name the lock file: --lock FILE" });
    expect(lockOptionsOf({ ...flags, lock: "a.lock" }, inputs).lock).toEqual({ file: "a.lock", locked: true });
  });

  it("say where nothing is built that nothing is written", () => {
    const notes: string[] = [];
    const onEvent = (event: BuildEvent) => event.type === "note" && notes.push(event.message);
    noteUnwritten({ onEvent });
    noteUnwritten({ lock: { file: "a.lock", locked: true }, onEvent });
    expect(notes).toEqual([]);
    noteUnwritten({ lock: { file: "a.lock", locked: false }, onEvent });
    expect(notes).toEqual(["nothing is built, and so the lock file a.lock is not written"]);
  });
});
