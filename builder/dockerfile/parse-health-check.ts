import { keywordOf } from "./arguments.ts";
import { parseDuration } from "./duration.ts";
import { Fault, quoted } from "./fault.ts";
import type { Flags } from "./flags.ts";
import type { HealthCheck } from "./instruction.ts";
import { commandOf, flagsOf, missing, type Parsed, type Written } from "./written.ts";

const minimumNs = 1_000_000;

export function parseHealthCheck(written: Written): Parsed<HealthCheck> {
  const flags = flagsOf(written, { interval: "text", timeout: "text", "start-period": "text", "start-interval": "text", retries: "text" });
  const { line, at } = written;
  const type = keywordOf(line.text, at);
  const hint = "write HEALTHCHECK CMD COMMAND, or HEALTHCHECK NONE";
  if (type.keyword === "") throw missing(written, "HEALTHCHECK needs CMD or NONE", hint);
  if (type.keyword === "NONE") {
    if (type.next < line.text.length)
      throw new Fault("UNEXPECTED_ARGUMENT", "HEALTHCHECK NONE takes no arguments", type.next, line.text.length);
    return { keyword: "HEALTHCHECK" };
  }
  if (type.keyword !== "CMD") {
    throw new Fault("UNEXPECTED_ARGUMENT", `HEALTHCHECK has no type ${quoted(line.text.slice(type.from, type.to))}`, type.from, type.to, {
      hint,
    });
  }
  const rest = line.text.slice(type.next);
  const command = commandOf({ rest, at: type.next, line });
  if (rest === "" || (command.form === "exec" && command.args.length === 0)) {
    throw new Fault("MISSING_ARGUMENT", "HEALTHCHECK CMD needs a command", type.from, type.to);
  }
  return {
    keyword: "HEALTHCHECK",
    command,
    ...timed(flags, "interval", "interval"),
    ...timed(flags, "timeout", "timeout"),
    ...timed(flags, "start-period", "startPeriod"),
    ...timed(flags, "start-interval", "startInterval"),
    ...retries(flags),
  };
}

function timed<K extends string>(flags: Flags, name: string, key: K): { [P in K]?: number } {
  const value = flags.text(name);
  if (value === undefined || value === "") return {};
  const { from, to } = flags.token(name);
  const durationNs = parseDuration(value);
  if (durationNs === undefined) {
    throw new Fault("INVALID_DURATION", `HEALTHCHECK --${name} is ${quoted(value)}, which is no duration`, from, to, {
      hint: "write numbers with units: 30s, 1m30s, 500ms",
    });
  }
  if (durationNs === 0) return {};
  if (durationNs < minimumNs) {
    throw new Fault("INVALID_DURATION", `HEALTHCHECK --${name} is ${quoted(value)}: it cannot be less than 1ms`, from, to);
  }
  return { [key]: durationNs } as { [P in K]?: number };
}

function retries(flags: Flags): { retries?: number } {
  const value = flags.text("retries");
  if (value === undefined || value === "") return {};
  const count = Number(value);
  if (/^\+?\d+$/.test(value) && count <= 0x7fffffff) return count === 0 ? {} : { retries: count };
  const { from, to } = flags.token("retries");
  throw new Fault("INVALID_FLAG", `HEALTHCHECK --retries is ${quoted(value)}: expected a number from 0 to 2147483647`, from, to);
}
