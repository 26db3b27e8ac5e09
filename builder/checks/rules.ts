import type { Rule } from "./rule.ts";
import { consistentInstructionCasing, fromAsCasing, stageNameCasing } from "./rules/casing.ts";
import { jsonArgsRecommended, multipleInstructionsDisallowed } from "./rules/commands.ts";
import { copyIgnoredFile } from "./rules/copy-ignored-file.ts";
import { invalidDefinitionDescription } from "./rules/descriptions.ts";
import { invalidDefaultArgInFrom, undefinedArgInFrom } from "./rules/from-arguments.ts";
import { fromPlatformFlagConstDisallowed, invalidBaseImagePlatform, redundantTargetPlatform } from "./rules/from-platform.ts";
import { legacyKeyValueFormat } from "./rules/legacy-key-value.ts";
import { maintainerDeprecated } from "./rules/maintainer.ts";
import { noEmptyContinuation } from "./rules/no-empty-continuation.ts";
import { exposeInvalidFormat, exposeProtoCasing } from "./rules/ports.ts";
import { secretsUsedInArgOrEnv } from "./rules/secrets.ts";
import { duplicateStageName, reservedStageName } from "./rules/stage-names.ts";
import { undefinedVar } from "./rules/undefined-variable.ts";
import { workdirRelativePath } from "./rules/workdir.ts";

/** All rules, in the order of BuildKit's list. `ignore` is the context's ignore file. */
export function rules(ignore?: { readonly file: string; readonly text: string }): readonly Rule[] {
  return [
    stageNameCasing,
    fromAsCasing,
    noEmptyContinuation,
    consistentInstructionCasing,
    duplicateStageName,
    reservedStageName,
    jsonArgsRecommended,
    maintainerDeprecated,
    undefinedArgInFrom,
    workdirRelativePath,
    undefinedVar,
    multipleInstructionsDisallowed,
    legacyKeyValueFormat,
    invalidBaseImagePlatform,
    redundantTargetPlatform,
    secretsUsedInArgOrEnv,
    invalidDefaultArgInFrom,
    fromPlatformFlagConstDisallowed,
    copyIgnoredFile(ignore),
    invalidDefinitionDescription,
    exposeProtoCasing,
    exposeInvalidFormat,
  ];
}
