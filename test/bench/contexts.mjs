import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
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

/** 30,000 files of 1 to 8 KiB in 300 directories, and a Dockerfile that copies them. */
export function layerOfFilesContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY files /data\n");
  const block = Buffer.alloc(8_192, "tsbuild benchmark content, neither random nor empty\n");
  for (let i = 0; i < 30_000; i++) {
    const folder = join(directory, "files", String(i % 300));
    if (i < 300) mkdirSync(folder, { recursive: true });
    block.writeUInt32LE(i, 0);
    writeFileSync(join(folder, `file-${i}.txt`), block.subarray(0, 1_024 + ((i * 2_741) % 7_169)));
  }
  return directory;
}

/** Four files of 256 MiB, and a Dockerfile that copies them. */
export function layerOfBytesContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY files /data\n");
  mkdirSync(join(directory, "files"));
  const block = Buffer.alloc(1 << 20, "neither random nor empty, and no two blocks the same\n");
  for (let i = 0; i < 4; i++) {
    const file = openSync(join(directory, "files", `file-${i}`), "w");
    for (let n = 0; n < 256; n++) {
      for (let at = 0; at < block.length; at += 4_096) block.writeUInt32LE((i * 256 + n) * 256 + at / 4_096, at);
      writeSync(file, block);
    }
    closeSync(file);
  }
  return directory;
}

/** A Dockerfile of 5,000 lines, most of them of the common instructions, with continuations, heredocs and variables. */
export function longDockerfile(directory) {
  const stage = (i) => `FROM ${i === 0 ? "busybox" : `stage-${i - 1}`} AS stage-${i}
ARG VERSION_${i}=1.2.${i}
ENV A_${i}=$VERSION_${i} B_${i}="\${A_${i}:-x} y"
LABEL org.example.stage="${i}" org.example.version=$VERSION_${i}
# What follows is a list.
RUN set -e; \\
    echo one \\
    # a comment inside
    two $VERSION_${i} \\
    && true
COPY --chown=1000:1000 src/${i}/*.txt lib/${i} /app/${i}/
COPY <<EOF /etc/conf-${i}
key = $VERSION_${i}
EOF
WORKDIR /app/${i}
EXPOSE 80${i % 100}/tcp
CMD ["run", "--stage", "${i}"]
`;
  let text = "";
  for (let i = 0; text.split("\n").length < 5_000; i++) text += stage(i);
  writeContext(directory, text.split("\n").slice(0, 5_000).join("\n"));
  return directory;
}

/** 100,000 empty files in 1,000 directories, 100 patterns of which exclude all but a few of them, and a Dockerfile that copies what is left. */
export function ignoredContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY . /data\n");
  const patterns = Array.from(
    { length: 97 },
    (_, i) => [`files/dir-${i}*/file-?${i}.*`, `**/*.skip${i}`, `!files/dir-${i}/keep`, `files/**/f*${i}.tx[a-z]`][i % 4],
  );
  writeFileSync(join(directory, ".dockerignore"), `${[...patterns, "files/*/file-*", "!files/dir-7/file-7.txt", "*.md"].join("\n")}\n`);
  for (let i = 0; i < 1_000; i++) {
    const folder = join(directory, "files", `dir-${i}`);
    mkdirSync(folder, { recursive: true });
    for (let j = 0; j < 100; j++) writeFileSync(join(folder, `file-${j}.txt`), "");
  }
  return directory;
}

/** 30,000 files of 500 MB together in 300 directories, which gzip makes half as large, and a Dockerfile that copies them. */
export function mixedFilesContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY . /data\n");
  writeMixedFiles(directory, { files: 30_000, directories: 300, meanBytes: 16_667 });
  return directory;
}

/** 20 MB in one layer, and 300 small files in the layer above it. */
export function layeredContext(directory) {
  writeContext(directory, "FROM busybox\nCOPY vendor /vendor\nCOPY src /src\n");
  writeMixedFiles(join(directory, "vendor"), { files: 1_000, directories: 10, meanBytes: 20_000 });
  mkdirSync(join(directory, "src"));
  for (let i = 0; i < 300; i++) writeFileSync(join(directory, "src", `file-${i}.txt`), `${i}\n`.repeat(200));
  return directory;
}

/** Files of half to one and a half times the mean, cut from a pool of words that no 32 KiB window of deflate sees twice. */
function writeMixedFiles(directory, { files, directories, meanBytes }) {
  const next = randomNumbers();
  const words = Array.from({ length: 8_192 }, () =>
    Array.from({ length: 2 + (next() % 9) }, () => String.fromCharCode(97 + (next() % 26))).join(""),
  );
  const pool = Buffer.from(Array.from({ length: 2_500_000 }, () => words[next() % words.length]).join(" "));
  for (let i = 0; i < files; i++) {
    const folder = join(directory, "files", String(i % directories));
    if (i < directories) mkdirSync(folder, { recursive: true });
    const size = Math.floor(meanBytes / 2) + (next() % meanBytes);
    const start = next() % (pool.length - size);
    writeFileSync(join(folder, `file-${i}.txt`), pool.subarray(start, start + size));
  }
}

/** The same sequence everywhere: a linear congruential one, without its lowest bits, which repeat soon. */
function randomNumbers() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 8;
  };
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
