import type { Bytes } from "../blobs.ts";
import { TsbuildError } from "../errors.ts";
import { collect } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { maxConfigBytes } from "../oci-parse.ts";

/** An image's config, which `open` reads. Throws TOO_LARGE for one that is said to be longer than is allowed before it is opened, and what reading throws. */
export async function readConfig({ digest, size }: Descriptor, open: () => Bytes): Promise<Buffer> {
  const tooLarge = () =>
    new TsbuildError("TOO_LARGE", `reading config ${digest}: it is longer than the ${maxConfigBytes} bytes allowed here`);
  if (size > maxConfigBytes) throw tooLarge();
  return collect(open(), maxConfigBytes, tooLarge);
}
