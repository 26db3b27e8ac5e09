import { readFileSync, writeFileSync } from "node:fs";

// Loaded into a process by peak-memory.ts. VmHWM (proc_pid_status(5)) belongs to the program alone; getrusage(2) counts what its parent had, too.
process.on("exit", () => {
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  if (process.env.TSBUILD_TEST_PEAK_FILE !== undefined) writeFileSync(process.env.TSBUILD_TEST_PEAK_FILE, `${Number(kibibytes) * 1024}`);
});
