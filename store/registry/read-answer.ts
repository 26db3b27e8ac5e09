import { TsbuildError } from "../errors.ts";
import { collect } from "../file-bytes.ts";
import type { Call } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import { type RepositoryContext, retryingOf } from "./repository-context.ts";

export interface Answer {
  readonly response: HttpResponse;
  /** Of a 200; empty for every other status. */
  readonly bytes: Buffer;
}

/** An answer with its body, repeated by the policy also when the body breaks off. Throws TOO_LARGE beyond the limit. */
export function readAnswer(context: RepositoryContext, endpoint: Endpoint, call: Call, limitBytes: number): Promise<Answer> {
  const tooLarge = () => new TsbuildError("TOO_LARGE", `${call.doing}: the answer is longer than the ${limitBytes} bytes allowed`);
  return retryingOf(context, endpoint)(
    async () => {
      const response = await context.caller.call(endpoint, { ...call, once: true });
      if (response.status !== 200) {
        await response.discard();
        return { response, bytes: Buffer.alloc(0) };
      }
      return { response, bytes: await collect(response.body, limitBytes, tooLarge) };
    },
    { signal: call.signal, onRetry: call.onRetry },
  );
}
