/**
 * The time of what nothing gives one: files that a Dockerfile writes out, directories that are made for others or only implied. 1980-01-02T00:00:00Z.
 * Never the clock, so that the same inputs make the same layer. And not 0: a zip holds no time before 1980 in the local time of whoever packs it, and
 * its tools refuse such files; a day later it is 1980 everywhere.
 */
export const noTime = { mtime: 315_619_200, mtimeNsec: 0 } as const;
