import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryDirectory, temporaryPath } from "../support/temporary.ts";

type Files = Readonly<Record<string, string>>;

/** The notes of a build that writes its lock file here, from the context; the context's directory is left out of them. */
async function notesOf(dockerfile: string, files: Files = {}, file = "Dockerfile.lock"): Promise<readonly string[]> {
  const context = contextDirectory({ Dockerfile: dockerfile, "d/f": "f", ...files });
  const notes: string[] = [];
  await build({
    context,
    contexts: { else: { kind: "directory", path: context } },
    store: temporaryPath("store"),
    lock: { file: join(context, file), locked: false },
    onEvent: (event) => event.type === "note" && notes.push(event.message.replace(`${context}/`, "")),
  });
  return notes;
}

const noted = (file: string, line: number) => [
  `the lock file ${file} is in the build context, and line ${line} takes it: name it in .dockerignore, or a change of it runs that step again`,
];

describe("a lock file in the build context", () => {
  it.each<[name: string, dockerfile: string, files: Files, file: string, line: number]>([
    ["all is copied", "FROM scratch\nCOPY d /d\nCOPY . .\n", {}, "Dockerfile.lock", 3],
    ["its directory is", "FROM scratch\nCOPY d /d\n", {}, "d/x.lock", 2],
    ["a pattern matches it", "FROM scratch\nCOPY Docker* /d/\n", {}, "Dockerfile.lock", 2],
    ["it is copied with the directories above it", "FROM scratch\nCOPY --parents ./d/./ /\n", {}, "d/x.lock", 2],
    ["another file is excluded", "FROM scratch\nCOPY --exclude=x . /\n", {}, "d/x.lock", 2],
    ["another file is ignored", "FROM scratch\nCOPY . .\n", { ".dockerignore": "d" }, "Dockerfile.lock", 2],
  ])("is noted where %s", async (_name, dockerfile, files, file, line) => {
    expect(await notesOf(dockerfile, files, file)).toEqual(noted(file, line));
  });

  it.each<[name: string, dockerfile: string, files: Files, file: string]>([
    ["it is ignored", "FROM scratch\nCOPY . .\n", { ".dockerignore": "*.lock" }, "Dockerfile.lock"],
    ["it is excluded", "FROM scratch\nCOPY --exclude=d/*.lock . .\nCOPY --exclude=x.lock d /\n", {}, "d/x.lock"],
    ["something else is copied", "FROM scratch\nCOPY d /d\nCOPY Dockerfil[e] /\n", {}, "Dockerfile.lock"],
    ["it is copied from a named context", "FROM scratch\nCOPY --from=else . .\n", {}, "Dockerfile.lock"],
    ["it is elsewhere", "FROM scratch\nCOPY . .\n", {}, join("..", `${temporaryDirectory("lock").split("/").at(-1)}`, "x.lock")],
  ])("is not noted where %s", async (_name, dockerfile, files, file) => {
    expect(await notesOf(dockerfile, files, file)).toEqual([]);
  });
});
