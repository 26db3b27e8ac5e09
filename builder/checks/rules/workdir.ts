import type { Rule } from "../rule.ts";
import { at, quoted } from "../rule.ts";

export const workdirRelativePath: Rule = {
  name: "WorkdirRelativePath",
  description:
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
  page: {
    why: "The first relative WORKDIR goes on from the base image's own. When that changes, files end up elsewhere.",
    bad: "FROM nginx AS web\nWORKDIR usr/share/nginx/html",
    good: "FROM nginx AS web\nWORKDIR /usr/share/nginx/html",
  },
  *step({ instruction, hasWorkdir, expand }) {
    if (instruction.keyword !== "WORKDIR" || hasWorkdir) return;
    const path = expand(instruction.value)?.text;
    if (path === undefined || path === "" || path.startsWith("/")) return;
    yield at(instruction, `Relative workdir ${quoted(path)} can have unexpected results if the base image changes`);
  },
};
