/**
 * How each step of a build with `--progress plain` ended, in order: ["RUN true", "cached"]. Titles lose the stage and count that
 * stand in brackets before them.
 */
export function stepOutcomes(stderr: string): [title: string, outcome: string][] {
  const titles = new Map<string, string>();
  const outcomes = new Map<string, string>();
  for (const [, id = "", text = ""] of stderr.matchAll(/^#(\d+) (.*)$/gm)) {
    if (!titles.has(id)) titles.set(id, text.replace(/^\[[^\]]*\] /, ""));
    else if (/^(done|cached|failed|cancelled)\b/.test(text)) outcomes.set(id, text.split(/[ ,]/)[0] ?? "");
  }
  return [...titles].map(([id, title]) => [title, outcomes.get(id) ?? "unfinished"]);
}

/** The titles of the steps that really ran. */
export function ranSteps(stderr: string): string[] {
  return stepOutcomes(stderr)
    .filter(([, outcome]) => outcome !== "cached")
    .map(([title]) => title);
}
