import { describe, expect, it } from "vitest";
import { openPrompt } from "../../../builder/cli/prompt.ts";
import { typingTerminal } from "./typing-terminal.ts";

describe("a prompt", () => {
  it.each<[name: string, typed: string[], expected: string | undefined]>([
    ["a line", ["user\n"], "user"],
    ["in pieces, of a character's bytes too", ["us", "Ã©r\n"], "usér"],
    ["blanks around", ["  user \n"], "user"],
    ["nothing", ["\n"], ""],
    ["the end", [], undefined],
    ["the end without a line end", ["user"], "user"],
  ])("reads %s", async (_name, typed, expected) => {
    const terminal = typingTerminal(typed);
    expect(await openPrompt(terminal).line("Username: ")).toBe(expected);
    expect([terminal.printed.stderr, terminal.modes]).toEqual(["Username: ", []]);
  });

  it.each<[name: string, typed: string[], expected: string | undefined]>([
    ["a secret", ["s3c", "ret\r"], "s3cret"],
    ["blanks as they are", [" a b \r"], " a b "],
    ["corrections", ["ab\x7fc\x08d\r"], "ad"],
    ["corrections of what takes several bytes", ["aÃ©\x7fb\r"], "ab"],
    ["a line begun anew", ["wrong\x15right\r"], "right"],
    ["keys that mean nothing", ["a\x01\tb\r"], "ab"],
    ["Ctrl-C", ["ab\x03"], undefined],
    ["Ctrl-D at once", ["\x04"], undefined],
    ["Ctrl-D later", ["ab\x04c\r"], "abc"],
    ["a terminal that goes away", ["ab"], "ab"],
  ])("reads %s without showing it", async (_name, typed, expected) => {
    const terminal = typingTerminal(typed);
    expect(await openPrompt(terminal).secret("Password: ")).toBe(expected);
    expect([terminal.printed.stderr, terminal.modes]).toEqual(["Password: \n", [true, false]]);
  });

  it("hides what is typed before it asks", async () => {
    const terminal = typingTerminal(["s3cret\r"]);
    const hidden: boolean[] = [];
    const stderr = { write: () => void hidden.push(terminal.modes.at(-1) ?? false) };
    await openPrompt({ ...terminal, stderr }).secret("Password: ");
    expect(hidden[0]).toBe(true);
  });

  it("keeps what was typed ahead", async () => {
    const prompt = openPrompt(typingTerminal(["user\ns3cret\nmore"]));
    expect([await prompt.line("?"), await prompt.secret("?")]).toEqual(["user", "s3cret"]);
  });

  it("gives the terminal back, also when reading fails", async () => {
    const terminal = typingTerminal(["ab"], new Error("gone"));
    await expect(openPrompt(terminal).secret("?")).rejects.toThrow("gone");
    expect(terminal.modes).toEqual([true, false]);
    await openPrompt(terminal).close();
    expect(terminal.closed()).toBe(true);
  });
});
