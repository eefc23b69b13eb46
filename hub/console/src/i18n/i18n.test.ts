import { describe, expect, it } from "vitest";

import { en } from "./en";
import { browserLanguage, fill, makeI18n } from "./i18n";
import { zh } from "./zh";

const slots = (text: string) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((m) => m[1]))].sort();

describe("the dictionaries", () => {
  it.each(Object.keys(zh) as (keyof typeof zh)[])("%s has the same slots in both languages", (key) => {
    expect(slots(en[key])).toEqual(slots(zh[key]));
  });
  it("have no empty text and no key of one language only", () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
    for (const text of [...Object.values(zh), ...Object.values(en)]) expect(text.trim()).not.toBe("");
  });
});

describe("a text with slots", () => {
  it("chooses by number in English", () => {
    expect(fill("{n} {n#day|days}", { n: 1 })).toBe("1 day");
    expect(fill("{n} {n#day|days}", { n: 3 })).toBe("3 days");
  });
  it("keeps a slot that nobody filled visible", () => {
    expect(fill("{a} and {b}", { a: "x" })).toBe("x and {b}");
  });
});

it("a browser that speaks neither language gets Chinese", () => {
  expect(browserLanguage(["fr-FR", "de"])).toBe("zh");
  expect(browserLanguage(["fr", "en-GB", "zh"])).toBe("en");
  expect(browserLanguage(["zh-TW"])).toBe("zh");
});

it("a name that one language lacks is shown in the other", () => {
  expect(makeI18n("en").name({ zh: "电表", en: "" })).toBe("电表");
  expect(makeI18n("zh").name({ zh: "", en: "Meter" })).toBe("Meter");
});
