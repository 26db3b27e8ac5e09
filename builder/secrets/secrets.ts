import { open } from "node:fs/promises";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { SecretSource } from "../options.ts";
import { isPublic, type SecretPattern, secretPatterns } from "./secret-patterns.ts";

export interface Secret {
  readonly id: string;
  readonly bytes: Buffer;
  /** Where one of these is found, the secret has leaked; none where it is too short to be looked for. */
  readonly patterns: readonly SecretPattern[];
  /** It holds certificates only. */
  readonly isPublic: boolean;
}

/** The secrets of one build, each read when it is first needed. */
export interface Secrets {
  /** Undefined where the caller gave none of this name. Throws SECRET_INVALID where it cannot be read, or is too large. */
  get(id: string): Promise<Secret | undefined>;
  /** All that the caller gave. Throws as get() does. */
  all(): Promise<readonly Secret[]>;
  /** Whether the image may hold it. */
  isAllowed(id: string): boolean;
}

/** As BuildKit has it. */
const mostBytes = 500 * 1024;

export function openSecrets(sources: Readonly<Record<string, SecretSource>>, allowed: readonly string[] = []): Secrets {
  const read = new Map<string, Promise<Secret>>();
  const readOnce = (id: string, source: SecretSource): Promise<Secret> => {
    const known = read.get(id) ?? readSecret(id, source);
    read.set(id, known);
    return known;
  };
  return {
    async get(id) {
      const source = Object.hasOwn(sources, id) ? sources[id] : undefined;
      return source === undefined ? undefined : readOnce(id, source);
    },
    all: () => Promise.all(Object.entries(sources).map(([id, source]) => readOnce(id, source))),
    isAllowed: (id) => allowed.includes(id),
  };
}

async function readSecret(id: string, source: SecretSource): Promise<Secret> {
  const bytes = "file" in source ? await readFile(id, source.file) : Buffer.from(source.value);
  if (bytes.length > mostBytes) throw invalid(id, `it has more than ${mostBytes} bytes`);
  return { id, bytes, patterns: secretPatterns(id, bytes), isPublic: isPublic(bytes) };
}

/** At most one byte too many. */
async function readFile(id: string, path: string): Promise<Buffer> {
  try {
    await using file = await open(path, "r");
    const bytes = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === bytes.length) return bytes.subarray(0, length);
    }
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw invalid(id, `${path} cannot be read: ${cause.code}`, cause);
  }
}

/** SECRET_INVALID, which says nothing of the value. */
export function invalid(id: string, problem: string, cause?: unknown): TsbuildError {
  return new TsbuildError("SECRET_INVALID", `reading the secret ${JSON.stringify(id)}: ${problem}`, cause === undefined ? {} : { cause });
}
