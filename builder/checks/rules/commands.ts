import type { Rule } from "../rule.ts";
import { at } from "../rule.ts";
import { writtenKeyword } from "../written-words.ts";

export const jsonArgsRecommended: Rule = {
  name: "JSONArgsRecommended",
  description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
  page: {
    why: "In the shell form the shell is the container's first process. It does not hand signals on, so that stopping the container waits for the timeout and then kills the program. Who wants a shell says so: with SHELL, or as the first word of the JSON form.",
    bad: "FROM alpine\nENTRYPOINT my-program start",
    good: 'FROM alpine\nENTRYPOINT ["my-program", "start"]',
  },
  *step({ instruction, shell }) {
    if (instruction.keyword !== "CMD" && instruction.keyword !== "ENTRYPOINT") return;
    if (instruction.command.form !== "shell" || shell !== "default") return;
    const keyword = writtenKeyword(instruction);
    yield at(instruction, `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`);
  },
};

export const multipleInstructionsDisallowed: Rule = {
  name: "MultipleInstructionsDisallowed",
  description: "Multiple instructions of the same type should not be used in the same stage",
  page: {
    why: "Of several CMD, ENTRYPOINT or HEALTHCHECK in one stage only the last counts. The others do nothing.",
    bad: 'FROM alpine\nENTRYPOINT ["echo", "Hello, Norway!"]\nENTRYPOINT ["echo", "Hello, Sweden!"]',
    good: 'FROM alpine\nENTRYPOINT ["echo", "Hello, Norway!\\nHello, Sweden!"]',
  },
  *step({ instruction, earlier }) {
    const { keyword } = instruction;
    if ((keyword !== "CMD" && keyword !== "ENTRYPOINT" && keyword !== "HEALTHCHECK") || earlier === undefined) return;
    const message = `Multiple ${writtenKeyword(instruction)} instructions should not be used in the same stage because only the last one will be used`;
    // The earlier one is the one without effect.
    yield { message, range: earlier.range, instructions: [earlier, instruction] };
  },
};
