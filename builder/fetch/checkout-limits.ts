import { TsbuildError } from "../../store/errors.ts";

/** What one checkout, with all its submodules, may have. A large one costs its author next to nothing: trees may hold each other many times. */
export interface CheckoutLimits {
  /** Submodules, and theirs. */
  readonly submodules: number;
  /** Files, directories and links. */
  readonly entries: number;
  /** Of all paths together. */
  readonly nameBytes: number;
  /** Of all files together. */
  readonly bytes: number;
}

/** What a checkout has so far. */
export type CheckoutSize = CheckoutLimits;

export const emptyCheckout: CheckoutSize = { submodules: 0, entries: 0, nameBytes: 0, bytes: 0 };

/** The largest public repositories have half of it. */
const fixed = { submodules: 1000, entries: 1_000_000, nameBytes: 256 * 2 ** 20 };

export function checkoutLimits({ maxDownloadBytes }: { readonly maxDownloadBytes: number }): CheckoutLimits {
  return { ...fixed, bytes: maxDownloadBytes };
}

/** The sum. Throws TOO_LARGE, which begins with `doing`, where it is more than is allowed. */
export function grown(size: CheckoutSize, by: Partial<CheckoutSize>, limits: CheckoutLimits, doing: string): CheckoutSize {
  const { submodules = 0, entries = 0, nameBytes = 0, bytes = 0 } = by;
  const sum = {
    submodules: size.submodules + submodules,
    entries: size.entries + entries,
    nameBytes: size.nameBytes + nameBytes,
    bytes: size.bytes + bytes,
  };
  const refused = (what: string, hint?: string) =>
    new TsbuildError("TOO_LARGE", `${doing}: it has more than ${what}`, hint === undefined ? {} : { hint });
  if (sum.submodules > limits.submodules) throw refused(`${limits.submodules} submodules, theirs included`);
  if (sum.entries > limits.entries) throw refused(`${limits.entries} files and directories, submodules included`);
  if (sum.nameBytes > limits.nameBytes) throw refused(`${limits.nameBytes} bytes of names, submodules included`);
  if (sum.bytes > limits.bytes)
    throw refused(`${limits.bytes} bytes, submodules included`, "the limit is max_download_mib under [registry] in tsbuild.toml");
  return sum;
}
