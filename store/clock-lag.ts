/** The clock of file systems lags behind the system's by up to a tick, milliseconds. */
export const clockLagMs = 50;
