import { describe, expect, it } from "vitest";
import { maxPages, nextPage, pageGuard } from "../../../store/registry/pages.ts";

const page = new URL("https://host:5000/v2/app/tags/list?n=2");

describe("the next page", () => {
  it.each<[name: string, links: string[], expected: string | undefined]>([
    ["none", [], undefined],
    ["a path", ['</v2/app/tags/list?last=b&n=2>; rel="next"'], "https://host:5000/v2/app/tags/list?last=b&n=2"],
    ["a path from the list on", ["<list?last=b>; rel=next"], "https://host:5000/v2/app/tags/list?last=b"],
    ["only a query", ['<?last=b>; rel="next"'], "https://host:5000/v2/app/tags/list?last=b"],
    ["a whole URL", ['<https://host:5000/v2/app/tags/list?last=b>; rel="next"'], "https://host:5000/v2/app/tags/list?last=b"],
    ["http from behind a TLS proxy", ['<http://host:5000/x?last=b>; rel="next"'], "https://host:5000/x?last=b"],
    ["one of several links", ['</first>; rel="first", </next,2>; title="a"; rel="next last"'], "https://host:5000/next,2"],
    ["one of several headers", ["</first>; rel=first", "</b>; Rel=NEXT"], "https://host:5000/b"],
    ["another relation", ['</b>; rel="prev"'], undefined],
    ["a query that looks signed", ['</b?token=a%2Bb+c~>; rel="next"'], "https://host:5000/b?token=a%2Bb+c~"],
    ["no link at all", ["nonsense; rel=next"], undefined],
  ])("is %s", (_name, links, expected) => {
    expect(nextPage(links, page, "listing")?.href).toBe(expected);
  });

  it.each<[name: string, link: string, message: string]>([
    ["another host", "<https://evil.example/v2/>; rel=next", "listing: the list goes on at https://evil.example, not at https://host:5000"],
    ["another port", "<https://host:5001/v2/>; rel=next", "listing: the list goes on at https://host:5001, not at https://host:5000"],
    [
      "a host without scheme",
      "<//evil.example/v2/>; rel=next",
      "listing: the list goes on at https://evil.example, not at https://host:5000",
    ],
    ["another scheme", "<file:///etc/passwd>; rel=next", "listing: the list goes on at null, not at https://host:5000"],
    ["no URL", "<http://[>; rel=next", "listing: the list goes on at a place that is no URL, not at https://host:5000"],
  ])("is refused at %s (credentials sent elsewhere)", (_name, link, message) => {
    expect(() => nextPage([link], page, "listing")).toThrow(message);
  });

  it("is found in a long hostile header at once", () => {
    nextPage([`${"<".repeat(50_000)}; rel=next`, `${"<a>;".repeat(20_000)}`, `<a>${"; rel = ".repeat(20_000)}`], page, "listing");
  });
});

it("ends lists that turn in a circle or never end", () => {
  const circle = pageGuard("listing");
  circle(page);
  expect(() => circle(new URL(page))).toThrow("listing: the list leads back to a page that was read");
  const endless = pageGuard("listing");
  expect(() => {
    for (let i = 0; i <= maxPages; i += 1) endless(new URL(`https://host/?last=${i}`));
  }).toThrow("listing: the list has more than 10000 pages");
});
