/** Limits of one sandbox; absent means none. */
export interface ResourceLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together, as in Docker; -1 is unlimited, absent is twice the memory. */
  readonly memorySwapBytes?: number;
  /** How much the command keeps at least where the machine runs short of memory. */
  readonly memoryReservationBytes?: number;
  /** 0–100: how readily its memory is swapped out. Version 1 of the control groups only. */
  readonly memorySwappiness?: number;
  /** Processors' worth of time, e.g. 1.5. */
  readonly cpus?: number;
  /** In how many microseconds that time is given out, 1000–1,000,000; 100,000 where absent. */
  readonly cpuPeriodUs?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  /** Memory nodes. */
  readonly cpusetMems?: string;
  /** Processes and threads of the command. */
  readonly pids?: number;
  /** 10–1000: weight of its reading and writing beside others'; the scheduler of the disk must know weights. */
  readonly ioWeight?: number;
  readonly ioWeightDevices?: readonly DeviceValue[];
  /** Bytes and operations a second. What a version 1 group writes later from the page cache is not held back. */
  readonly deviceReadBps?: readonly DeviceValue[];
  readonly deviceWriteBps?: readonly DeviceValue[];
  readonly deviceReadIops?: readonly DeviceValue[];
  readonly deviceWriteIops?: readonly DeviceValue[];
}

export interface DeviceValue {
  /** Path of the block device of a whole disk. */
  readonly device: string;
  readonly value: number;
}

/** "8:0", by the path of a block device. */
export type DeviceNumbers = (path: string) => string;

/** A file of a group that sets a limit. */
export interface LimitFile {
  /** By its name of version 2. */
  readonly controller: string;
  readonly limit: keyof ResourceLimits;
  readonly file: string;
  readonly value: string;
  /** Follows from another limit: not an error where this kernel has no such file. */
  readonly implied?: boolean;
  /** Says the same where this kernel has no such file. */
  readonly otherwise?: { readonly file: string; readonly value: string };
}
