import { textOf } from "../../../runtime-addon/index.ts";
import { canonicalJson } from "../../../store/canonical-json.ts";
import type { Image } from "../../../store/images.ts";
import type { RootfsEntry } from "../../../store/layer/rootfs.ts";
import type { ImageConfig } from "../../../store/oci.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import type { Store } from "../../../store/store.ts";

/** An image as one flat table: "config.Env", "tree./etc/passwd.mode" … → value as JSON. */
export type FlatImage = ReadonlyMap<string, string>;

/** Everything of an image that users can see and that does not tell when it was built. */
export async function flatImage(store: Store, image: Image): Promise<FlatImage> {
  const rows = new Map<string, string>();
  for (const [field, value] of configFields(image.config)) rows.set(field, canonicalJson(value).toString("utf8"));
  const rootfs = await openRootfs(store.layers, image.layers);
  const firstNames = new Map<string, string>();
  for (const entry of rootfs.walk("" as never)) {
    const path = `/${textOf(entry.path)}`;
    const set = (field: string, value: unknown) => rows.set(`tree.${path}.${field}`, JSON.stringify(value));
    set("type", entry.kind);
    set("owner", `${entry.uid}:${entry.gid}`);
    if (entry.kind !== "symlink") set("mode", entry.mode.toString(8));
    for (const [name, value] of Object.entries(entry.xattrs ?? {})) set(`xattr ${name}`, Buffer.from(value, "latin1").toString("hex"));
    for (const [field, value] of kindFields(entry)) set(field, value);
    if (entry.kind !== "file") continue;
    set("size", entry.size);
    set("content", rootfs.digest(entry));
    const inode = rootfs.inode(entry);
    const first = firstNames.get(inode);
    if (first === undefined) firstNames.set(inode, path);
    else set("link of", first);
  }
  return rows;
}

function kindFields(entry: RootfsEntry): readonly (readonly [string, unknown])[] {
  switch (entry.kind) {
    case "symlink":
      return [["target", textOf(entry.target)]];
    case "char":
    case "block":
      return [["device", `${entry.major}:${entry.minor}`]];
    default:
      return [];
  }
}

/** Empty and absent mean the same in a config, of commands too: none is run. Order counts in lists only. */
function configFields({ config = {}, os, architecture, author }: ImageConfig): readonly (readonly [string, unknown])[] {
  const { Env, Labels, ExposedPorts, Volumes, ...rest } = config;
  const fields: Record<string, unknown> = {
    os,
    architecture,
    author,
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [`config.${name}`, value])),
    ...Object.fromEntries((Env ?? []).map((entry) => [`config.Env.${entry.split("=")[0]}`, entry])),
    ...Object.fromEntries(Object.entries(Labels ?? {}).map(([name, value]) => [`config.Labels.${name}`, value])),
    ...Object.fromEntries(Object.keys(ExposedPorts ?? {}).map((port) => [`config.ExposedPorts.${port}`, true])),
    ...Object.fromEntries(Object.keys(Volumes ?? {}).map((path) => [`config.Volumes.${path}`, true])),
  };
  return Object.entries(fields).filter(([, value]) => !isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || value === false || (Array.isArray(value) && value.length === 0);
}
