import { spawnSync } from "node:child_process";

/**
 * Runs the contenders of a row in turn, `rounds` times after one round that does not count, so that whatever else the machine does hits all
 * of them alike. `prepare` of a contender makes what one run needs (a fresh store) and is not timed; nothing is deleted. Where a contender has
 * `count`, what that answers after the run counts instead of the time, in the row's unit.
 * Returns { name, note, unit: "ms"|"bytes", contenders: [{ name, kind, median, min, max, peakBytes, cpuMs }] }; a contender that fails has `error`.
 */
export function measure({ name, note, unit, contenders }, rounds) {
  const values = new Map(contenders.map((contender) => [contender, []]));
  const errors = new Map();
  for (let round = -1; round < rounds; round++) {
    for (const contender of contenders) {
      if (errors.has(contender)) continue;
      const result = timeOnce(contender);
      if (result.error !== undefined) errors.set(contender, result.error);
      else if (round >= 0) values.get(contender).push(result.value);
    }
  }
  return {
    name,
    note,
    unit,
    contenders: contenders.map((contender) => {
      const { name, kind } = contender;
      if (errors.has(contender)) return { name, kind, error: errors.get(contender) };
      const sorted = values.get(contender).sort((a, b) => a - b);
      return {
        name,
        kind,
        median: median(sorted),
        min: sorted[0],
        max: sorted.at(-1),
        // What peers do, their daemons do.
        ...(kind === "peer" ? {} : usageOnce(contender)),
      };
    }),
  };
}

function commandOf(contender) {
  const { argv, env = {}, cwd } = { ...contender, ...contender.prepare?.() };
  return {
    argv,
    options: { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8", maxBuffer: 1 << 26 },
  };
}

function timeOnce(contender) {
  let command;
  try {
    command = commandOf(contender);
  } catch (error) {
    return { error: `preparing: ${error.message}` };
  }
  const { argv, options } = command;
  const startNs = process.hrtime.bigint();
  const result = spawnSync(argv[0], argv.slice(1), options);
  const ms = Number(process.hrtime.bigint() - startNs) / 1e6;
  if (result.error) return { error: result.error.message };
  if (result.status !== 0)
    return {
      error: `${argv.join(" ")}: ${result.signal ?? `exit code ${result.status}`}: ${result.stderr.trim().split("\n").slice(-3).join(" | ")}`,
    };
  return { value: contender.count?.() ?? ms };
}

const USAGE = `import resource, subprocess, sys
subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss * 1024, (used.ru_utime + used.ru_stime) * 1000)`;

/** Of one more run: peak resident memory of its largest process, and the processor time of all of them. Nothing where python3, which reads them, is not there. */
function usageOnce(contender) {
  const { argv, options } = commandOf(contender);
  const result = spawnSync("python3", ["-c", USAGE, ...argv], { ...options, stdio: ["ignore", "pipe", "ignore"] });
  if (result.status !== 0) return {};
  const [peakBytes, cpuMs] = result.stdout.split(" ").map(Number);
  return { peakBytes, cpuMs };
}

function median(sorted) {
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
