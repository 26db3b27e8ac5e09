import { serveNamespaceWorker } from "../runtime-addon/index.ts";
import { type DirectoryWork, localDirectoryWork } from "./directory-work.ts";
import { openStore } from "./store.ts";

// Entry of the process inside the user namespace: argv[2] is the store, argv[3] its limits of unpacking as JSON.
const [, , root, unpackLimits] = process.argv;
if (root === undefined || unpackLimits === undefined) throw new Error("usage: worker STORE LIMITS");
const store = await openStore(root, { unpackLimits: JSON.parse(unpackLimits) });
const work: DirectoryWork = localDirectoryWork(store);
serveNamespaceWorker(
  {
    unpack: work.unpack,
    prepare: work.prepare,
    makeCache: work.makeCache,
    copy: work.copy,
    own: work.own,
    pack: work.pack,
    packedEntries: work.packedEntries,
    adopt: work.adopt,
    search: work.search,
    removeBelow: work.removeBelow,
    remove: work.remove,
  },
  () => store.close(),
);
