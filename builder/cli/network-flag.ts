/** Of what has steps or a container; how it is described is up to the command. */
export const networkFlag = {
  alias: "net",
  value: "MODE",
  choices: ["default", "isolated", "none", "host"],
  choiceHint:
    "there are no bridges and no networks with names: default is a network of its own where this machine can make one, isolated that or an error, host the machine's, none nothing but loopback",
} as const;
