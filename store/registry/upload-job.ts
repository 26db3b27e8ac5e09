import { IntegrityError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import type { HttpBody } from "./http.ts";
import type { ProgressMeter } from "./progress-meter.ts";
import type { UploadContent } from "./repository.ts";

/** One blob on its way to a repository. */
export interface UploadJob extends Abortable {
  readonly target: Descriptor;
  readonly content: UploadContent;
  /** "pushing layer sha256:… to host/app". */
  readonly doing: string;
  readonly meter: ProgressMeter;
}

/** The content's bytes from `start` to before `end`. What is shorter or longer than the blob is stopped with IntegrityError before the registry has all of it. */
export function bodyOf({ target, content, doing, meter, signal }: UploadJob, start: number, end: number): HttpBody {
  return {
    sizeBytes: end - start,
    async *open() {
      let offset = start;
      if (start === end) return;
      for await (const chunk of content.open(start, { signal })) {
        const piece = chunk.subarray(0, end - offset);
        if (piece.length < chunk.length && end === target.size) throw new IntegrityError(doing, `${target.size} bytes`, "more");
        offset += piece.length;
        if (piece.length > 0) yield piece;
        meter.at(offset);
        if (offset === end && end < target.size) return;
      }
      if (offset < end) throw new IntegrityError(doing, `${target.size} bytes`, `${offset}`);
    },
  };
}
