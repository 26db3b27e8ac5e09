// Feeds random inputs to the Dockerfile parser, the word lexer and the matcher of ignore files, on all processors.
//   npm run fuzz [-- --count N] [--seed FIRST] [--growth N]
// N inputs each (a million), then N trials (2,000) of how work grows. Ends with 1 and the seed at the first input that breaks something: put the seed into
// test/fuzz/found.json, where every test run tries it again.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { withBundled } from "./bundled.mjs";

/** An input that takes longer hangs. */
const silenceMs = 120_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "0" },
    growth: { type: "string", default: "2000" },
  },
});
const first = Number(values.seed);
const count = Number(values.count);
const growth = Number(values.growth);
if (![first, count, growth].every((number) => Number.isSafeInteger(number) && number >= 0))
  throw new Error("--count, --seed and --growth are whole numbers");

await withBundled("test/fuzz/main.ts", async (program) => {
  const results = [];
  for (const subject of ["parser", "words", "ignore"]) results.push(await runAll(program, subject, count));
  const grown = await runAll(program, "growth", growth);
  for (const { subject, runs, wellFormed } of results) {
    const share = runs === 0 ? 0 : wellFormed / runs;
    console.log(`${subject}: ${runs} inputs, ${(100 * share).toFixed(1)} % of them well-formed`);
    if (runs > 0 && share < 0.3) throw new Error(`${subject}: less than 30 % are well-formed`);
  }
  console.log(`growth: ${grown.runs} trials in each family, none grew faster than allowed`);
});

async function runAll(program, subject, inputs) {
  const workers = availableParallelism();
  const children = new Set();
  const one = (worker) =>
    new Promise((resolve, reject) => {
      const args = [
        program,
        "--subject",
        subject,
        "--from",
        String(first + worker),
        "--to",
        String(first + inputs),
        "--step",
        String(workers),
      ];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      children.add(child);
      let last = { runs: 0, wellFormed: 0 };
      const hang = () => {
        console.error(
          `${subject}: no progress after ${last.runs} inputs: seed ${first + worker + last.runs * workers} or one soon after it hangs`,
        );
        child.kill("SIGKILL");
      };
      let timer = setTimeout(hang, silenceMs);
      createInterface({ input: child.stdout }).on("line", (line) => {
        clearTimeout(timer);
        timer = setTimeout(hang, silenceMs);
        last = JSON.parse(line);
      });
      child.once("close", (code) => {
        clearTimeout(timer);
        children.delete(child);
        if (code === 0) resolve(last);
        else reject(new Error(`${subject}: broken, see above`));
      });
    });
  try {
    const done = await Promise.all(Array.from({ length: workers }, (_, worker) => one(worker)));
    return { subject, runs: sum(done, "runs"), wellFormed: sum(done, "wellFormed") };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

function sum(rows, name) {
  return rows.reduce((total, row) => total + row[name], 0);
}
