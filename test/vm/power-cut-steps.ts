/** One command of the workload, and what it does to the names of the store. */
export interface PowerCutStep {
  /** Arguments of tsbuild, as a shell reads them. */
  readonly args: string;
  /** Names to the value of the label "step" of the image they stand for afterwards; undefined takes a name away. */
  readonly names: Readonly<Record<string, string | undefined>>;
}

/** Builds, archives, tags, removals and collections, in which names move and images share layers. */
export function powerCutSteps(busyboxTar: string): PowerCutStep[] {
  const build = (step: string, ...names: string[]): PowerCutStep => ({
    args: `build -q --network none --build-arg step=${step} ${names.map((name) => `-t ${name}`).join(" ")} context`,
    names: Object.fromEntries(names.map((name) => [name, step])),
  });
  return [
    { args: `import --change "LABEL step=base" ${busyboxTar} busybox`, names: { busybox: "base" } },
    build("1", "app:1", "app"),
    build("2", "app:2", "app"),
    { args: "save app:1 -o archive.tar", names: {} },
    { args: "rmi app:1", names: { "app:1": undefined } },
    { args: "prune --all --force", names: {} },
    { args: "load -i archive.tar", names: { "app:1": "1" } },
    { args: "rmi app:2", names: { "app:2": undefined } },
    build("3", "app:2", "app"),
  ];
}

/** The names and their values after each step, first that of an empty store. */
export function statesOf(steps: readonly PowerCutStep[]): ReadonlyMap<string, string>[] {
  const states: Map<string, string>[] = [new Map()];
  for (const { names } of steps) {
    const state = new Map(states.at(-1));
    for (const [name, value] of Object.entries(names)) {
      if (value === undefined) state.delete(name);
      else state.set(name, value);
    }
    states.push(state);
  }
  return states;
}
