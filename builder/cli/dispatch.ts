import type { CliIo } from "./cli-io.ts";
import type { Command } from "./command.ts";

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands; each file is loaded only when its command is used. */
export const commands: Readonly<Record<string, Entry>> = {
  build: { summary: "Build an image from a Dockerfile (the default)", load: async () => (await import("./build.ts")).build },
  run: { summary: "Run a command in a container of an image", load: async () => (await import("./run.ts")).run },
  import: { summary: "Make an image from a tar of a root file system", load: async () => (await import("./import.ts")).importImage },
  images: { summary: "List images", load: async () => (await import("./images.ts")).images },
  inspect: { summary: "Show all about an image as JSON", load: async () => (await import("./inspect.ts")).inspect },
  history: { summary: "Show the steps that made an image", load: async () => (await import("./history.ts")).history },
  tag: { summary: "Give an image another name", load: async () => (await import("./tag.ts")).tag },
  rmi: { summary: "Remove names of images", load: async () => (await import("./rmi.ts")).rmi },
  save: { summary: "Write images as an OCI archive or directory", load: async () => (await import("./save.ts")).save },
  load: { summary: "Take images from an archive or directory", load: async () => (await import("./load.ts")).load },
  info: { summary: "Show what this machine allows", load: async () => (await import("./info.ts")).info },
  version: { summary: "Show the version", load: async () => (await import("./version.ts")).versionCommand },
};

/** Runs the command that the arguments name, `build` when they name none. Resolves to the exit code; errors are printed, not thrown. */
export async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.stderr.write(await overview());
    return 2;
  }
  if (argv.length === 1 && (first === "--help" || first === "-h" || first === "help")) {
    io.stdout.write(await overview());
    return 0;
  }
  if (first === "help" && rest.length === 1) return dispatch([rest[0] ?? "", "--help"], io);
  const named = Object.hasOwn(commands, first) ? commands[first] : undefined;
  let found: Command | undefined;
  try {
    if (first === "--version") found = await commands.version?.load();
    else found = await (named ?? commands.build)?.load();
    return (await found?.main(named === undefined && first !== "--version" ? argv : rest, io)) ?? 0;
  } catch (error) {
    const { reportError } = await import("./report-error.ts");
    const usual = reportError(error, io);
    return usual === 130 ? usual : (found?.exitCodeOf?.(error) ?? usual);
  }
}

async function overview(): Promise<string> {
  const { alignRows } = await import("./help.ts");
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  const lines = [
    "usage: tsbuild [COMMAND] [options] …",
    "",
    "Dockerfile to OCI image, without a daemon and without root.",
    "",
    "commands:",
    ...alignRows(rows),
  ];
  lines.push("", "examples:", "  tsbuild -t app .", "  tsbuild run --rm -p 8080:8080 app", "", "tsbuild COMMAND --help says more.");
  return `${lines.join("\n")}\n`;
}
