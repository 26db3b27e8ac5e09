import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ON_SLOW_MACHINE } from "./support/slow-machine.ts";

// What is emulated, or shares its cores with much else, is slow everywhere: a limit is there to end what hangs.
const patience = ON_SLOW_MACHINE ? 5 : 1;

const root = fileURLToPath(new URL("..", import.meta.url));

/** What every project shares. Each test file has a process of its own, so that one file's leaks are not another's. */
const shared = {
  root,
  pool: "forks" as const,
  setupFiles: ["test/support/leaks.ts"],
  // Machines of CI services stall for seconds: what fails twice there has failed, and what passed the second time is marked in the output.
  retry: process.env.CI === "true" ? 1 : 0,
};

export default defineConfig({
  test: {
    root,
    // Most of the tests wait for processes and disks: one worker would leave half of a small machine idle.
    maxWorkers: Math.max(2, availableParallelism()),
    globalSetup: ["test/support/global-setup.ts"],
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**", "test/vm/**"],
          testTimeout: 30_000 * patience,
          hookTimeout: 120_000 * patience,
        },
      },
      {
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...shared,
          name: "vm",
          include: ["test/vm/**/*.test.ts"],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
