/** What a function throws. Fails when it throws nothing. */
export function thrown(body: () => unknown): { readonly message: string; readonly code?: string; readonly hint?: string } {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}
