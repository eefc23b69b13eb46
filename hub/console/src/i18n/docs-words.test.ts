// What the guides call a word of the page stands in italics, and is on the page.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { QUALITIES } from "../format/quality";
import { en } from "./en";
import { zh } from "./zh";

const DOCS = join(import.meta.dirname, "../../../../docs/src");
const guides = ["operators", "engineers"].flatMap((folder) =>
  readdirSync(join(DOCS, folder))
    .filter((name) => name.endsWith(".md") && name !== "policy.md")
    .map((name) => join(folder, name)),
);
const text = (guide: string): string => readFileSync(join(DOCS, guide), "utf8");
const wordsOf = (guide: string): string[] =>
  [...text(guide).matchAll(/(?<![*\w])\*([^*\s][^*\n]*)\*(?!\*)/g)].map((m) => m[1] ?? "");
const named = guides.filter((guide) => wordsOf(guide).length > 0);

describe("the words of the page in the guides", () => {
  it("are found", () => {
    expect(named).toEqual(expect.arrayContaining(["operators/page.md", "operators/page.zh.md"]));
  });
  it.each(named)("%s", (guide) => {
    const known: string[] = Object.values(guide.endsWith(".zh.md") ? zh : en);
    expect(wordsOf(guide).filter((word) => !known.includes(word))).toEqual([]);
  });
  it.each([
    ["operators/page.md", en],
    ["operators/page.zh.md", zh],
  ] as const)("%s explains every quality", (guide, words) => {
    const qualities = [...QUALITIES, "ahead" as const].map((word) => words[`quality.${word}`]);
    expect(wordsOf(guide)).toEqual(expect.arrayContaining(qualities));
  });
});
