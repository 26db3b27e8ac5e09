import type { Rule } from "../rule.ts";
import { at, shown } from "../rule.ts";
import type { CheckedStep } from "../walk-stages.ts";

export const exposeProtoCasing: Rule = {
  name: "ExposeProtoCasing",
  description: "Protocol in EXPOSE instruction should be lowercase",
  page: {
    why: "The image's configuration has protocols in lower case, and so have the tools that read it.",
    bad: "FROM alpine\nEXPOSE 80/TcP",
    good: "FROM alpine\nEXPOSE 80/tcp",
  },
  *step(step) {
    for (const { text, protocol } of portsOf(step)) {
      if (protocol === protocol.toLowerCase()) continue;
      yield at(step.instruction, `Defined protocol '${shown(text)}' in EXPOSE instruction should be lowercase`);
    }
  },
};

export const exposeInvalidFormat: Rule = {
  name: "ExposeInvalidFormat",
  description: "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
  page: {
    why: "EXPOSE says which ports the program in the container listens on. Which port of the host leads there is for whoever runs it to say; what stands before the colon has no effect.",
    bad: "FROM alpine\nEXPOSE 127.0.0.1:80:80",
    good: "FROM alpine\nEXPOSE 80",
  },
  *step(step) {
    for (const { text, isMapped } of portsOf(step)) {
      if (!isMapped) continue;
      yield at(step.instruction, `EXPOSE instruction should not define an IP address or host-port mapping, found '${shown(text)}'`);
    }
  },
};

interface Port {
  readonly text: string;
  /** As written; empty where there is none. */
  readonly protocol: string;
  /** An address or a port of the host stands before it. */
  readonly isMapped: boolean;
}

/** Ports that planning does not refuse for their protocol, or for want of a number. */
function portsOf({ instruction, expand }: CheckedStep): readonly Port[] {
  if (instruction.keyword !== "EXPOSE") return [];
  const words = instruction.values.flatMap((value) => expand(value)?.words ?? []);
  return words.flatMap((text): Port[] => {
    const parts = text.split(":");
    const container = parts.at(-1) ?? "";
    const slash = container.indexOf("/");
    const protocol = slash < 0 ? "" : container.slice(slash + 1);
    if (slash === 0 || container === "" || !/^(tcp|udp|sctp)?$/i.test(protocol)) return [];
    return [{ text, protocol, isMapped: parts.slice(0, -1).some((part) => part !== "") }];
  });
}
