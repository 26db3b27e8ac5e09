import type { Source } from "../dockerfile/errors.ts";
import type { ListedTarget } from "../outline/target-list.ts";
import type { OutlineMount, TargetOutline } from "../outline/target-outline.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { Call } from "./call-flags.ts";
import type { CliIo } from "./cli-io.ts";
import { formatJson } from "./format-flag.ts";
import { base64, locationJson } from "./source-json.ts";
import { formatTable } from "./table.ts";

/** Prints what a target takes: BuildKit's tables or its JSON, with the cache mounts besides. */
export function printOutline(outline: TargetOutline, source: Source, format: Call["format"], { stdout }: Pick<CliIo, "stdout">): void {
  stdout.write(format === "json" ? formatJson(outlineJson(outline, source)) : outlineText(outline));
}

/** Prints the stages that can be built: BuildKit's table or its JSON. */
export function printTargets(
  targets: readonly ListedTarget[],
  source: Source,
  format: Call["format"],
  { stdout }: Pick<CliIo, "stdout">,
): void {
  stdout.write(format === "json" ? formatJson(targetsJson(targets, source)) : targetsText(targets));
}

function outlineText({ name, description, args, secrets, ssh, caches }: TargetOutline): string {
  const rows = (mounts: readonly OutlineMount[]) => mounts.map((mount) => [mount.name, mount.isRequired ? "true" : ""]);
  const tables: string[] = [];
  if (name !== undefined) {
    const about = description === undefined ? [] : [["DESCRIPTION:", description]];
    tables.push(table(["TARGET:", name], about));
  }
  const list = (header: readonly string[], cells: readonly (readonly string[])[]): void => {
    if (cells.length > 0) tables.push(table(header, cells));
  };
  list(
    ["BUILD ARG", "VALUE", "DESCRIPTION"],
    args.map((arg) => [arg.name, arg.value ?? "", arg.description ?? ""]),
  );
  list(["SECRET", "REQUIRED"], rows(secrets));
  list(["SSH", "REQUIRED"], rows(ssh));
  list(
    ["CACHE"],
    caches.map((cache) => [cache.name]),
  );
  return tables.join("\n");
}

function targetsText(targets: readonly ListedTarget[]): string {
  const nameOf = ({ name, isDefault }: ListedTarget) => [name, isDefault ? "(default)" : undefined].filter((part) => part).join(" ");
  return table(
    ["TARGET", "DESCRIPTION"],
    targets.map((target) => [nameOf(target), target.description ?? ""]),
  );
}

/** Names and descriptions are the Dockerfile's. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = (cells: readonly string[]) => cells.map((cell) => harmless(cell, { colors: false }));
  return formatTable(clean(header), rows.map(clean));
}

function outlineJson({ name, description, args, secrets, ssh, caches }: TargetOutline, { text }: Source): unknown {
  const mount = ({ name, isRequired, range }: OutlineMount) => ({
    name,
    ...(isRequired ? { required: true } : {}),
    location: locationJson(range),
  });
  return omitEmpty({
    name: name ?? "",
    description: description ?? "",
    args: args.map(({ name, description, value, range }) => ({
      name,
      ...omitEmpty({ description: description ?? "", value: value ?? "" }),
      location: locationJson(range),
    })),
    secrets: secrets.map(mount),
    ssh: ssh.map(mount),
    cache: caches.map(({ name, range }) => ({ ID: name, location: locationJson(range) })),
    sources: [base64(text)],
  });
}

function targetsJson(targets: readonly ListedTarget[], { text }: Source): unknown {
  return {
    targets: targets.map(({ name, isDefault, description, base, platform, range }) => ({
      ...omitEmpty({ name: name ?? "" }),
      ...(isDefault ? { default: true } : {}),
      ...omitEmpty({ description: description ?? "", base, platform: platform ?? "" }),
      location: locationJson(range),
    })),
    sources: [base64(text)],
  };
}

/** Go's omitempty: texts and lists of nothing are left out. */
function omitEmpty(fields: Readonly<Record<string, string | readonly unknown[]>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value.length > 0));
}
