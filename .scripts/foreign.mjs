// Prints, as JSON, where an emulator and a root file system of another architecture are kept (tars), made when they must be.
//   node .scripts/foreign.mjs
import { cachedTar } from "./base-cache.mjs";
import { emulatorKey, foreignArchitecture, foreignBusyboxKey, makeEmulator, makeForeignBusybox } from "./base-foreign.mjs";

const warn = (message) => console.error(message);

try {
  const { file: emulator } = await cachedTar(emulatorKey(), 30, makeEmulator, warn);
  const { file: rootfs } = await cachedTar(foreignBusyboxKey(), 30, (file) => makeForeignBusybox(file, emulator), warn);
  const { architecture, cpu } = foreignArchitecture();
  console.log(JSON.stringify({ architecture, cpu, emulator, rootfs }));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
