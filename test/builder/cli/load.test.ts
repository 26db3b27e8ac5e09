import { join } from "node:path";
import { expect, it } from "vitest";
import { load } from "../../../builder/cli/load.ts";
import { contextDirectory } from "../../support/context.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

it("load of a build's context says how it is built", async () => {
  const context = contextDirectory({ Dockerfile: "FROM scratch\n" });
  const store = join(temporaryDirectory("load"), "store");
  await expect(load.main([context], fakeIo({ env: { TSBUILD_ROOT: store } }))).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: `loading ${context}: it has no file oci-layout, so this is no OCI image layout`,
    hint: `if it is the context of a build: tsbuild build ${context}`,
  });
});
