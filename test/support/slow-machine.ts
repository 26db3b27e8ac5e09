/** Whether tests take a tenth of what only costs time, such as bytes through a pipe: in a machine that is emulated. */
export const ON_SLOW_MACHINE: boolean = process.env.TSBUILD_TEST_SLOW_MACHINE === "1";
