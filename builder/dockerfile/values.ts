import { TsbuildError } from "../../runtime-addon/index.ts";
import { isIpAddress } from "../ip-address.ts";
import { quoted } from "./fault.ts";

/** As written: names are looked up in the image, numbers are ids. */
export interface Owner {
  readonly user: string | number;
  readonly group?: string | number;
}

/** Reads `user`, `user:group` or `:group` (then the user is 0). Throws INVALID_CHOWN. */
export function parseChown(text: string): Owner {
  const [user = "", group, extra] = text.split(":");
  if (extra !== undefined || text === "" || text === ":" || /\s/.test(text)) {
    throw new TsbuildError("INVALID_CHOWN", `reading the owner ${quoted(text)}: expected USER or USER:GROUP`);
  }
  return { user: user === "" ? 0 : nameOrId(user), ...(group === undefined || group === "" ? {} : { group: nameOrId(group) }) };
}

function nameOrId(text: string): string | number {
  if (!/^\d+$/.test(text)) return text;
  const id = Number(text);
  // 2^32-1 is what chown(2) takes for "leave as it is".
  if (id < 0xffffffff) return id;
  throw new TsbuildError("INVALID_CHOWN", `reading the owner ${quoted(text)}: ids end at 4294967294`);
}

/**
 * Reads a port, a range or the container's part of `[[ip:]hostPort:]port`, with an optional protocol: "80-82/tcp" gives
 * 80/tcp, 81/tcp and 82/tcp. Throws INVALID_PORT.
 */
export function parseExpose(text: string): readonly string[] {
  const parts = text.split(":");
  const [port = "", ...protocols] = (parts.at(-1) ?? "").split("/");
  const invalid = (problem: string) => new TsbuildError("INVALID_PORT", `reading the port ${quoted(text)}: ${problem}`);
  const protocol = protocols.join("/").toLowerCase() || "tcp";
  if (!["tcp", "udp", "sctp"].includes(protocol)) throw invalid("the protocol is not tcp, udp or sctp");
  const container = portRange(port);
  if (container === undefined) throw invalid("expected a number from 0 to 65535, or two with - between them, the lower first");
  const address = parts.slice(0, -2).join(":");
  if (address !== "" && !isIpAddress(address.replace(/^\[(.*)\]$/, "$1"))) throw invalid(`${quoted(address)} is no IP address`);
  const host = parts.at(-2);
  if (host !== undefined && host !== "") {
    const published = portRange(host);
    if (published === undefined) throw invalid(`${quoted(host)} is no port`);
    const isSameLength = published.last - published.first === container.last - container.first;
    if (!isSameLength && container.last !== container.first) throw invalid("the two ranges differ in length");
  }
  return Array.from({ length: container.last - container.first + 1 }, (_, i) => `${container.first + i}/${protocol}`);
}

function portRange(text: string): { first: number; last: number } | undefined {
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

/** Linux's names and the real-time range; RTMIN is the first that libc leaves to programs (signal(7)). */
const signalNames =
  "HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS";
const signals: ReadonlySet<string> = new Set([
  ...signalNames.split(" "),
  ...Array.from({ length: 16 }, (_, i) => (i === 0 ? "RTMIN" : `RTMIN+${i}`)),
  ...Array.from({ length: 15 }, (_, i) => (i === 0 ? "RTMAX" : `RTMAX-${i}`)),
]);

/** Checks a signal: a name with or without SIG, in any case, or a number, whichever but 0. Returns it as written. Throws INVALID_SIGNAL. */
export function parseStopSignal(text: string): string {
  const isKnown = /^\d{1,9}$/.test(text) ? Number(text) >= 1 : signals.has(text.toUpperCase().replace(/^SIG/, ""));
  if (isKnown) return text;
  throw new TsbuildError("INVALID_SIGNAL", `reading the signal ${quoted(text)}: there is no such signal`, {
    hint: "use a name such as SIGTERM, or a number",
  });
}

/** One `key=value` of a mount, or a bare `key`. */
export interface MountOption {
  /** Lower case. */
  readonly key: string;
  readonly value?: string;
}

/** Reads the value of `--mount`: one line of CSV (RFC 4180), each field `key=value` or `key`. Throws INVALID_MOUNT. */
export function parseKeyValueFlags(text: string): readonly MountOption[] {
  return csvFields(text).map((field) => {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (key === "") throw invalidMount(text, "an option has no name");
    return equals < 0 ? { key } : { key, value: field.slice(equals + 1) };
  });
}

function csvFields(text: string): readonly string[] {
  const fields: string[] = [];
  const field = /"((?:[^"]|"")*)"(?=,|$)|([^",]*)(?=,|$)/y;
  for (let at = 0; at <= text.length; at = field.lastIndex + 1) {
    field.lastIndex = at;
    const match = field.exec(text);
    if (match === null) throw invalidMount(text, "a quote stands inside a field, or is not closed");
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
  }
  return fields;
}

function invalidMount(text: string, problem: string): TsbuildError {
  return new TsbuildError("INVALID_MOUNT", `reading --mount=${quoted(text)}: ${problem}`, {
    hint: "write --mount=type=TYPE,target=PATH,…",
  });
}
