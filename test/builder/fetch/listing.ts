import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** "path mode mtime content" of everything in a directory. */
export function listing(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => {
      const full = join(directory, path);
      const stat = lstatSync(full);
      const content = stat.isSymbolicLink() ? `-> ${readlinkSync(full)}` : stat.isFile() ? readFileSync(full, "utf8") : "/";
      return `${path} ${(stat.mode & 0o7777).toString(8)} ${stat.mtimeMs / 1000} ${content.trimEnd()}`;
    });
}

/** "CODE: message" of what an asynchronous call throws. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code}: ${message}`;
  }
  return "no error";
}
