import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A docker-credential-<name> of the real protocol that keeps each server's credential in a file beside it, and its calls in calls.log. */
export function installHelper(directory: string, name: string): { readonly path: string; readonly log: string } {
  const kept = join(directory, `${name}-kept`);
  mkdirSync(kept, { recursive: true });
  const log = join(directory, "calls.log");
  installScript(
    directory,
    name,
    `input=$(cat)
server=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/')
file="${kept}/$(printf %s "$server" | tr / _)"
echo "$0 $* $server" >>"${log}"
case "$1" in
store) printf %s "$input" >"$file" ;;
erase) rm -f "$file" ;;
get) cat "$file" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
esac`,
  );
  return { path: directory, log };
}

/** A docker-credential-<name> that runs these lines of shell. */
export function installScript(directory: string, name: string, lines: string): void {
  writeFileSync(join(directory, `docker-credential-${name}`), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
}
