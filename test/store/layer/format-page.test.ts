import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { writerVersion } from "../../../store/layer/tar-format.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { decodeTree } from "../../../store/layer/tree.ts";
import { CHECKOUT } from "../../support/cli.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { treeBytes } from "../../support/tree-bytes.ts";

const page = readFileSync(join(CHECKOUT, "store/layer/FORMAT.md"), "utf8");

function block(heading: string): string {
  return new RegExp(`^## ${heading}$[^]*?^\`\`\`\\w*\n([^]*?)^\`\`\`$`, "m").exec(page)?.[1] ?? "";
}

const content = Buffer.from("hello\n");

/** What the page's tree is written from. */
function sources(): SourceEntry[] {
  return decodeTree(Buffer.from(block("The tree"))).entries.map((entry): SourceEntry => {
    if (entry.kind !== "file") return entry;
    const { offset: _offset, digest: _digest, ...file } = entry;
    return { ...file, content: { at: "bytes", bytes: content } };
  });
}

async function written() {
  const file = join(temporaryDirectory("format"), "layer.tar");
  const tree = await writeLayer(sources(), file, { sync: false, ignoreMtime: () => false });
  return { tree, tar: readFileSync(file) };
}

/** As hexdump -C prints bytes, without lines of zeros. */
function dump(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    if (line.every((byte) => byte === 0)) continue;
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    text += `${at.toString(16).padStart(8, "0")}  ${hex}  |${line.toString("latin1").replaceAll(/[^ -~]/g, ".")}|\n`;
  }
  return `${text}${bytes.length.toString(16).padStart(8, "0")}\n`;
}

describe("the page about the form of layers", () => {
  it("is about the form that is written", () => {
    expect(page).toContain(`Form ${writerVersion} of the tar`);
  });

  it("shows the tree and the tar that are written", async () => {
    const { tree, tar } = await written();
    expect(block("The tree")).toBe(treeBytes(tree).toString());
    expect(block("The example")).toBe(dump(tar));
  });

  it("says where the fields of a header are", async () => {
    const { tree, tar } = await written();
    const file = tree.entries.find(({ kind }) => kind === "file");
    const header = tar.subarray((file?.kind === "file" ? file.offset : 0) - 512);
    const rows = [...page.matchAll(/^\| ([a-z ]+) \| (\d+) \| (\d+) \|(.*)\|$/gm)];
    let end = 0;
    for (const [, name, offset, bytes, shown = ""] of rows) {
      expect(Number(offset), name).toBe(end);
      end += Number(bytes);
      const value = shown.trim().replaceAll("` and `", "").replaceAll("`", "").replaceAll("\\0", "\0");
      expect(header.toString("latin1", Number(offset), end), name).toBe(value.padEnd(Number(bytes), "\0"));
    }
    expect([rows.length, end]).toEqual([15, 500]);
  });
});
