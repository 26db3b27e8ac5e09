import type { BuildEvent } from "./event.ts";
import { harmless } from "./terminal-text.ts";

type Remark = Extract<BuildEvent, { readonly type: "note" | "warning" }>;

/** "warning: line 3: …" or "note: …", with its line end, without colours. */
export function noteLine(event: Remark): string {
  const where = event.type === "note" || event.range === undefined ? "" : `line ${event.range.start.line}: `;
  return `${event.type}: ${where}${harmless(event.message, { colors: false })}\n`;
}
