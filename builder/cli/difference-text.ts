import { textOf } from "../../runtime-addon/index.ts";
import type { ConfigDifference } from "../../store/config-diff.ts";
import type { RootfsEntry } from "../../store/layer/rootfs.ts";
import type { FileDifference } from "../../store/layer/rootfs-diff.ts";

/** A field: what is missing, added or another one in the second image. */
export function configLine({ field, a, b }: ConfigDifference): string {
  if (a === undefined) return `+ ${field}: ${JSON.stringify(b)}`;
  return b === undefined ? `- ${field}: ${JSON.stringify(a)}` : `~ ${field}: ${JSON.stringify(a)} → ${JSON.stringify(b)}`;
}

/** A path: added, deleted or changed, and in what, with the values that are short. */
export function fileLine(difference: FileDifference): string {
  const path = `/${textOf(difference.path)}`;
  if (difference.change !== "changed") {
    const suffix = difference.entry.kind === "directory" && path !== "/" ? "/" : "";
    return `${difference.change === "added" ? "A" : "D"} ${path}${suffix}`;
  }
  const { a, b, aspects } = difference;
  const told = aspects.map((aspect) => {
    const [before, after] = [shownValue(a, aspect), shownValue(b, aspect)];
    return before === undefined || after === undefined ? aspect : `${aspect} ${before} → ${after}`;
  });
  return `C ${path} (${told.join(", ")})`;
}

type Aspect = Extract<FileDifference, { readonly change: "changed" }>["aspects"][number];

/** Undefined for what is too long to be shown. */
function shownValue(entry: RootfsEntry, aspect: Aspect): string | undefined {
  switch (aspect) {
    case "kind":
      return entry.kind;
    case "mode":
      return entry.mode.toString(8).padStart(4, "0");
    case "owner":
      return `${entry.uid}:${entry.gid}`;
    case "time":
      return timeText(entry);
    case "size":
      return "size" in entry ? String(entry.size) : undefined;
    case "target":
      return "target" in entry ? JSON.stringify(textOf(entry.target)) : undefined;
    case "device":
      return "major" in entry ? `${entry.major},${entry.minor}` : undefined;
    default:
      return undefined;
  }
}

/** Years beyond 9999 have no RFC 3339 form. */
function timeText({ mtime, mtimeNsec }: RootfsEntry): string {
  const date = new Date(mtime * 1000);
  const seconds = Number.isNaN(date.getTime()) ? `@${mtime}` : date.toISOString().slice(0, -5);
  return mtimeNsec === 0 ? seconds : `${seconds}.${String(mtimeNsec).padStart(9, "0")}`;
}

/** The same for JSON. */
export function describeFile(difference: FileDifference): object {
  const path = `/${textOf(difference.path)}`;
  if (difference.change !== "changed") return { path, change: difference.change, kind: difference.entry.kind };
  const { a, b, aspects } = difference;
  const values = aspects.map((aspect) => [aspect, { a: shownValue(a, aspect), b: shownValue(b, aspect) }]);
  return { path, change: difference.change, what: Object.fromEntries(values) };
}
