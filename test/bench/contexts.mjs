import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A context of a few files whose Dockerfile has twelve instructions. */
export function smallContext(directory) {
  mkdirSync(join(directory, "src"), { recursive: true });
  writeFileSync(
    join(directory, "Dockerfile"),
    `FROM busybox
ARG VERSION=1
ENV A=1 B=2
LABEL org.example.version=$VERSION
WORKDIR /app
COPY package.json ./
RUN echo dependencies > installed
COPY src ./src
RUN cat src/*.txt > built
EXPOSE 8080
USER 1000
CMD ["sh"]
`,
  );
  writeFileSync(join(directory, "package.json"), "{}\n");
  for (let i = 0; i < 10; i++) writeFileSync(join(directory, "src", `${i}.txt`), `${i}\n`);
  return directory;
}

/** 20,000 files of 1 to 8 KiB in 200 directories, the same on every machine, and a Dockerfile that copies them. */
export function manyFilesContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY . /data\n");
  // The sizes must not be regular; a fixed linear congruential sequence makes them so everywhere alike.
  let state = 1;
  const block = Buffer.alloc(8_192, "tsbuild benchmark content, neither random nor empty\n");
  for (let i = 0; i < 20_000; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const folder = join(directory, "files", String(i % 200));
    if (i < 200) mkdirSync(folder, { recursive: true });
    const size = 1_024 + (state % 7_169);
    block.writeUInt32LE(i, 0);
    writeFileSync(join(folder, `file-${i}.txt`), block.subarray(0, size));
  }
  return directory;
}

/** Ten RUN steps that do next to nothing. */
export function tenRunsContext(directory) {
  return writeContext(directory, `FROM busybox\n${Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /file-${i}\n`).join("")}`);
}

function writeContext(directory, dockerfile) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "Dockerfile"), dockerfile);
  return directory;
}
