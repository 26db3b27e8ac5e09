import { describeSandbox } from "../conformance/sandbox.suite.ts";
import { SANDBOX_MODES } from "../support/sandbox/modes.ts";

for (const mode of SANDBOX_MODES) describeSandbox(mode);
