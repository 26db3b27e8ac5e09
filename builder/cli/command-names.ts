/** All commands, in the order of the help page, with a sentence each. */
export const summaries = {
  build: "Build an image from a Dockerfile (the default)",
  run: "Run a command in a container of an image",
  shell: "Open a shell in a failed step, in any step or in an image",
  ps: "List containers that were kept",
  rm: "Remove containers that were kept",
  commit: "Make an image of a container that was kept",
  bundle: "Write an image as a bundle for runc and crun",
  import: "Make an image from a tar of a root file system",
  images: "List images",
  inspect: "Show all about an image as JSON",
  history: "Show the steps that made an image",
  diff: "Show in what two images differ",
  tag: "Give an image another name",
  index: "Make one image of images for several platforms",
  rmi: "Remove names of images",
  df: "Show what takes the room of the store",
  prune: "Remove what is not needed any more, and cache",
  verify: "Look for damage in the store, and repair it",
  save: "Write images as an OCI archive or directory",
  export: "Write the files of an image as a tar or into a directory",
  load: "Take images from an archive or directory",
  pull: "Bring images from registries into the store",
  push: "Send images to registries",
  copy: "Copy an image between registries, the store, archives and layouts",
  attach: "Attach files to an image of a registry",
  "ls-remote": "List the tags of a registry's repository",
  login: "Log in to a registry",
  logout: "Forget what is kept of a registry",
  info: "Show what this machine allows",
  version: "Show the version",
} as const;

export type CommandName = keyof typeof summaries;

export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(summaries, word);
}
