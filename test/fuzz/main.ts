import { parseArgs } from "node:util";
import { runGrowthSeed } from "./growth.ts";
import { stepCounter } from "./step-count.ts";
import { runSeed, subjects } from "./subjects.ts";

/** One worker of the long run: seeds from `--from`, every `--step`th, below `--to`, of the subject, or "growth". Prints counts as JSON lines. */
const { values } = parseArgs({
  options: { subject: { type: "string" }, from: { type: "string" }, to: { type: "string" }, step: { type: "string" } },
});
const [from, to, step] = [Number(values.from), Number(values.to), Number(values.step)];
const reportEvery = values.subject === "growth" ? 20 : 2000;

let runs = 0;
let wellFormed = 0;
const report = () => process.stdout.write(`${JSON.stringify({ runs, wellFormed })}\n`);
const subject = subjects.find(({ name }) => name === values.subject);
const counter = subject === undefined ? stepCounter() : undefined;
for (let seed = from; seed < to; seed += step) {
  if (subject !== undefined) wellFormed += runSeed(subject, seed) ? 1 : 0;
  else if (counter !== undefined) runGrowthSeed(counter, seed);
  if (++runs % reportEvery === 0) report();
}
report();
