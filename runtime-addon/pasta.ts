import { accessSync, constants } from "node:fs";

const places = ["/usr/bin/pasta", "/bin/pasta", "/usr/local/bin/pasta"];

/** Where pasta (pasta(1), package passt) is on this machine; undefined where it is not. */
export function findPasta(): string | undefined {
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
