import type { TsbuildError } from "../../runtime-addon/index.ts";
import { type CacheKind, cacheKinds } from "../../store/gc/cache-items.ts";
import type { Freed, GarbagePolicy } from "../../store/gc/collect.ts";
import { freedKinds } from "../../store/gc/collect.ts";
import { formatBytes } from "../progress/measures.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { openMappedTrash } from "./mapped-trash.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { openPrompt } from "./prompt.ts";
import { reportError } from "./report-error.ts";
import { storeFlags } from "./store-flag.ts";
import { formatTable } from "./table.ts";
import { invalid, readDuration, readSize } from "./values.ts";

export const prune = command(
  {
    name: "prune",
    operands: "",
    summary:
      "Remove what neither an image, nor the build cache, nor a running process needs. Of the cache as well what the options say; what was used last goes last. Images with a name are never removed.",
    flags: {
      all: { short: "a", help: "Remove all of the cache, and images without a name" },
      "keep-storage": { value: "SIZE", help: "Remove cache until this much is left" },
      "min-free-space": { value: "SIZE", help: "Remove cache until this much of the file system is free" },
      "max-age": { value: "DURATION", help: "Remove cache that was not used for so long: 24h, 30d" },
      filter: {
        value: "KEY=VALUE",
        many: true,
        help: `Only this cache: type=${cacheKinds.join("|")} (may be repeated); until=DURATION is --max-age`,
      },
      "dry-run": { help: "Only say what would be removed" },
      force: { short: "f", help: "Ask nothing" },
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      builder: { value: true, note: "there is one store; --store names another one" },
      "max-used-space": { value: true, missing: "--keep-storage limits the cache; the setting store.max_size the whole store" },
      "reserved-space": { value: true, missing: "--keep-storage says how much cache is left" },
      verbose: { note: "what is removed is always listed by kind" },
      volumes: { missing: "there are no volumes" },
    },
    examples: [
      "tsbuild prune",
      "tsbuild prune --keep-storage 20g",
      "tsbuild prune --max-age 30d --filter type=directories",
      "tsbuild prune -a -f",
    ],
  },
  { min: 0, max: 0 },
  ({ flags }, io) => {
    const { kinds, maxAgeSeconds } = readFilters(flags.filter ?? [], flags["max-age"]);
    const keep = flags["keep-storage"];
    const minFree = flags["min-free-space"];
    const policy: GarbagePolicy = {
      all: flags.all ?? false,
      dryRun: flags["dry-run"] ?? false,
      signal: io.signal,
      ...(kinds.length === 0 ? {} : { kinds }),
      ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
      ...(keep === undefined ? {} : { keepBytes: readSize("--keep-storage", keep) }),
      ...(minFree === undefined ? {} : { minFreeBytes: readSize("--min-free-space", minFree) }),
    };
    return withStore(flags, io, async (store) => {
      const takesCache =
        flags.all === true || kinds.length > 0 || maxAgeSeconds !== undefined || keep !== undefined || minFree !== undefined;
      if (takesCache && flags["dry-run"] !== true && flags.force !== true && !(await mayGo(flags.all === true, io))) return 1;
      const { collectGarbage } = await import("../../store/gc/collect.ts");
      await using trash = openMappedTrash(store, (message) => note(io, message));
      const unreadable: TsbuildError[] = [];
      const freed = await collectGarbage(store, {
        ...policy,
        removeTree: trash.remove,
        onUnreadable: (error) => unreadable.push(error),
        onNote: (message) => note(io, message),
      });
      if (flags.format === "json") io.stdout.write(formatJson({ dryRun: policy.dryRun, ...freed }));
      else printTable(freed, policy.dryRun === true, io);
      for (const error of unreadable) reportError(error, io);
      if (unreadable.length === 0) return 0;
      note(io, "layers stay, with the records that lead to them: what is damaged may need any of them");
      return 1;
    });
  },
);

/** A script is not asked. */
async function mayGo(all: boolean, io: CliIo): Promise<boolean> {
  if (io.stdin.isTTY !== true) return true;
  const prompt = openPrompt(io);
  try {
    const what = all ? "all of the build cache and all images without a name" : "build cache";
    return /^y(es)?$/i.test((await prompt.line(`This removes ${what}. Continue? [y/N] `))?.trim() ?? "");
  } finally {
    await prompt.close();
  }
}

/** Several types add up; of several ages the shortest counts. */
function readFilters(
  filters: readonly string[],
  maxAge: string | undefined,
): { readonly kinds: readonly CacheKind[]; readonly maxAgeSeconds: number | undefined } {
  const kinds = new Set<CacheKind>();
  const ages = maxAge === undefined ? [] : [readDuration("--max-age", maxAge)];
  for (const filter of filters) {
    const at = filter.indexOf("=");
    const [key, value] = [filter.slice(0, Math.max(at, 0)), filter.slice(at + 1)];
    // As docker buildx prune calls them.
    const kind = cacheKinds.find((name) => name === (value === "exec.cachemount" ? "cache-mounts" : value));
    if (key === "until") ages.push(readDuration("--filter until=", value));
    else if (key === "type" && kind !== undefined) kinds.add(kind);
    else throw invalid("--filter", filter, "is not known", `write type=${cacheKinds.join("|")} or until=24h`);
  }
  return { kinds: [...kinds], maxAgeSeconds: ages.length === 0 ? undefined : Math.min(...ages) };
}

function printTable(freed: Freed, dryRun: boolean, io: CliIo): void {
  for (const digest of freed.images) io.stdout.write(`${dryRun ? "would remove" : "removed"} the image without a name ${digest}\n`);
  const rows = freedKinds
    .filter((kind) => freed.count[kind] > 0)
    .map((kind) => [kind, String(freed.count[kind]), formatBytes(freed.bytes[kind])]);
  io.stdout.write(formatTable(["KIND", "COUNT", dryRun ? "WOULD FREE" : "FREED"], [...rows, ["total", "", formatBytes(freed.totalBytes)]]));
}
