import { Session } from "node:inspector";

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

/**
 * Counts the blocks of code that some work executes, by V8's precise coverage: a measure of work that is the same on every machine and under every load.
 * What happens inside of V8's own functions (indexOf, regular expressions) is not seen.
 */
export function stepCounter(): { count(work: () => void): number; close(): void } {
  const session = new Session();
  session.connect();
  const post = <T>(method: string, parameters: object = {}): T => {
    let answer: T | undefined;
    session.post(method, parameters, (error, result) => {
      if (error) throw new Error(`${method}: ${error.message}`);
      answer = result as T;
    });
    return answer as T;
  };
  post("Profiler.enable");
  post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return {
    count(work) {
      post("Profiler.takePreciseCoverage");
      work();
      const { result } = post<Coverage>("Profiler.takePreciseCoverage");
      let sum = 0;
      for (const { url, functions } of result) {
        if (url.startsWith("node:")) continue;
        for (const { ranges } of functions) for (const { count } of ranges) sum += count;
      }
      return sum;
    },
    close() {
      post("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}
