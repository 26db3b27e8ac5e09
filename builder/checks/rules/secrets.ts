import type { Rule } from "../rule.ts";
import { at, quoted } from "../rule.ts";

const secret = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmless = /(?:_|^)(?:public|file|version)(?:_|$)/i;

export const secretsUsedInArgOrEnv: Rule = {
  name: "SecretsUsedInArgOrEnv",
  description: "Sensitive data should not be used in the ARG or ENV commands",
  page: {
    why: "Values of ARG and ENV stay in the image's configuration and history, where everyone who has the image can read them. RUN --mount=type=secret shows a secret to one command and leaves nothing behind. What counts is the variable's name.",
    bad: "FROM scratch\nARG AWS_SECRET_ACCESS_KEY",
    good: "FROM alpine\nRUN --mount=type=secret,id=aws,env=AWS_SECRET_ACCESS_KEY upload",
  },
  *step({ instruction, expand }) {
    const { keyword } = instruction;
    if (keyword !== "ARG" && keyword !== "ENV") return;
    const names = keyword === "ARG" ? instruction.args.map(({ name }) => name) : instruction.pairs.map(({ key }) => key);
    for (const word of names) {
      const name = expand(word)?.text ?? word;
      if (!secret.test(name) || harmless.test(name)) continue;
      yield at(instruction, `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quoted(name)})`);
    }
  },
};
