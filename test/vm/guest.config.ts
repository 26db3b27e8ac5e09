import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** For a run in the virtual machine: emulation takes ten times as long and more, so that modules come ready from the host. */
export default defineConfig({
  test: {
    root,
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    setupFiles: ["test/support/leaks.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    experimental: { fsModuleCache: true, fsModuleCachePath: process.env.TSBUILD_TEST_MODULES ?? "" },
  },
});
