import { summaries } from "./command-names.ts";
import { alignRows } from "./help.ts";

/** The help page of the program. */
export function overview(): string {
  const lines = [
    "usage: tsbuild [COMMAND] [options] …",
    "",
    "Dockerfile to OCI image, without a daemon and without root.",
    "",
    "commands:",
    ...alignRows(Object.entries(summaries)),
    "",
    "examples:",
    "  tsbuild -t app .",
    "  tsbuild run --rm -p 8080:8080 app",
    "",
    "tsbuild COMMAND --help says more.",
  ];
  return `${lines.join("\n")}\n`;
}
