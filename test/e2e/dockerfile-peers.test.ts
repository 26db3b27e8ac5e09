import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { ourselves, type PeerBuilder, startPeer } from "../support/peers/builders.ts";
import { acceptedDifferences, contextFiles, type Difference, type PeerCase, type PeerName, peerCases } from "../support/peers/cases.ts";
import { differences, isAccepted } from "../support/peers/compare.ts";
import type { FlatImage } from "../support/peers/flat-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { makeTree } from "../support/tree.ts";

const topics = peerCases();
const all = [...topics.values()].flat();
const accepted = acceptedDifferences();

/** Dockerfile and context of a case, in a directory of its own. */
async function contextOf(one: PeerCase): Promise<string> {
  const directory = temporaryDirectory("case");
  await makeTree(directory, contextFiles(one));
  writeFileSync(join(directory, "Dockerfile"), `${one.dockerfile.join("\n")}\n`);
  return directory;
}

let us: PeerBuilder;
const built = new Map<string, Promise<{ readonly context: string; readonly image: FlatImage }>>();

/** Each case is built by us once, whoever it is compared with. */
function ours(one: PeerCase) {
  const known = built.get(one.id);
  if (known !== undefined) return known;
  const made = contextOf(one).then(async (context) => ({ context, image: await us.build(one, context) }));
  built.set(one.id, made);
  return made;
}

beforeAll(async () => {
  us = await ourselves();
});
afterAll(() => us[Symbol.asyncDispose]());

describe("the cases", () => {
  it("are at least 150, each with an id of its own", () => {
    expect(all.length).toBeGreaterThanOrEqual(150);
    expect(all.length).toBe(new Set(all.map(({ id }) => id)).size);
  });

  it("are each compared with a peer, or with what a source says", () => {
    const alone = all.filter((one) => one.golden === undefined && comparable(one, "docker") + comparable(one, "buildah") === 0);
    expect(alone.map(({ id }) => id)).toEqual([]);
  });

  it("are those that accepted differences name", () => {
    const ids = new Set(all.map(({ id }) => id));
    expect(accepted.filter((row) => !(ids.has(row.case) || row.case === "*") || row.source === "")).toEqual([]);
  });
});

function comparable(one: PeerCase, peer: PeerName): number {
  // The daemon of a test runs no containers.
  return one.golden === undefined && one.without?.[peer] === undefined && !(peer === "docker" && one.runs) ? 1 : 0;
}

const golden = [...topics].map(([topic, cases]) => [topic, cases.filter((one) => one.golden !== undefined)] as const);

describe.each(golden.filter(([, cases]) => cases.length > 0))("%s", needs("sandbox"), (_, cases) => {
  it.each(cases.map((one) => [one.id, one] as const))("%s is as its source says", async (_id, one) => {
    const { image } = await ours(one);
    const { fields = {}, absent = [] } = one.golden ?? {};
    const found = Object.fromEntries(Object.keys(fields).map((field) => [field, parsed(image.get(field))]));
    expect(found).toEqual(fields);
    expect(absent.filter((field) => image.has(field))).toEqual([]);
  });
});

function parsed(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}

const requirement = { docker: ["dockerDaemon", "skopeo"], buildah: ["buildah"] } as const;

describe.each(["docker", "buildah"] as const)("beside %s", (name) => {
  describe("config and files are equal", needs("root", "sandbox", ...requirement[name]), () => {
    let peer: PeerBuilder;
    beforeAll(async () => {
      peer = await startPeer(name);
    });
    afterAll(() => peer[Symbol.asyncDispose]());

    const general = accepted.filter((row) => row.case === "*" && row.peer === name);
    const seen = new Set<Difference>();
    const compared = all.filter((one) => comparable(one, name) === 1);
    let runs = 0;

    it.each(compared.map((one) => [one.id, one] as const))("%s", async (id, one) => {
      runs++;
      const { context, image } = await ours(one);
      const found = differences(image, await peer.build(one, context));
      const own = accepted.filter((row) => row.case === id && row.peer === name);
      for (const row of general) if (found.some((difference) => isAccepted(row, difference))) seen.add(row);
      const unexplained = found.filter((difference) => ![...own, ...general].some((row) => isAccepted(row, difference)));
      expect(unexplained, "differences that nobody has accepted").toEqual([]);
      expect(
        own.filter((row) => !found.some((difference) => isAccepted(row, difference))),
        "accepted differences that are none any more",
      ).toEqual([]);
    });

    it("accepted general differences still show", ({ skip }) => {
      skip(runs < compared.length, "not all cases ran");
      expect(general.filter((row) => !seen.has(row))).toEqual([]);
    });
  });
});
