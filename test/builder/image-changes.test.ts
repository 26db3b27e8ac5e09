import { describe, expect, it } from "vitest";
import { configOfChanges } from "../../builder/image-changes.ts";

describe("changes to an imported image", () => {
  it("make the configuration that the instructions would make", () => {
    const changes = [
      'CMD ["sh"]',
      "ENV PATH=/bin A=1",
      "EXPOSE 80",
      "WORKDIR /srv",
      "WORKDIR www",
      "USER 1000:1000",
      'LABEL a="b c"',
      "STOPSIGNAL SIGTERM",
      'ENTRYPOINT ["/init"]',
    ];
    expect(configOfChanges(changes, "--change")).toEqual({
      Cmd: ["sh"],
      Env: ["PATH=/bin", "A=1"],
      ExposedPorts: { "80/tcp": {} },
      WorkingDir: "/srv/www",
      User: "1000:1000",
      Labels: { a: "b c" },
      StopSignal: "SIGTERM",
      Entrypoint: ["/init"],
    });
  });

  it("are none without instructions", () => {
    expect(configOfChanges([], "--change")).toEqual({});
  });

  it.each([
    ["RUN true", "reading --change: RUN is not an instruction that can change a configuration alone"],
    ["COPY a b", "reading --change: COPY is not an instruction that can change a configuration alone"],
    ["USER a\nFROM debian\nUSER b", "reading --change: FROM is not an instruction that can change a configuration alone"],
    ["ARG X", "reading --change: ARG is not an instruction that can change a configuration alone"],
    ["FRM x", 'unknown instruction "FRM"'],
  ])("cannot be %s", (change, message) => {
    expect(() => configOfChanges([change], "--change")).toThrow(message);
  });
});
