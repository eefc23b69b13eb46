// The dictionary in use: typed keys, typed slots, Chinese first. A key or a slot that is missing does not compile.
import { createContext, useContext } from "react";

import { en } from "./en";
import { zh } from "./zh";

export type Language = "zh" | "en";
export type Key = keyof typeof zh;

/** The names in braces of a Chinese text: `"{n} 个设备"` has the slot `n`. */
type SlotsOf<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | SlotsOf<Rest>
  : never;
type Slots<K extends Key> = SlotsOf<(typeof zh)[K]>;
type Args<K extends Key> = [Slots<K>] extends [never] ? [] : [Record<Slots<K>, string | number>];

/** Keys without slots: what a table of keys may hold. */
export type PlainKey = { [K in Key]: [Slots<K>] extends [never] ? K : never }[Key];

export type Translate = <K extends Key>(key: K, ...args: Args<K>) => string;

const dictionaries: Record<Language, Record<Key, string>> = { zh, en };

/** Fills `{slot}`, and `{slot#one|many}` by the number in the slot. */
export function fill(text: string, slots: Record<string, string | number>): string {
  return text.replace(/\{(\w+)(?:#([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, many?: string) => {
    const value = slots[name];
    if (one !== undefined && many !== undefined) return Number(value) === 1 ? one : many;
    return value === undefined ? `{${name}}` : String(value);
  });
}

export function translator(language: Language): Translate {
  const dictionary = dictionaries[language];
  return (key, ...args) => fill(dictionary[key], (args[0] ?? {}) as Record<string, string | number>);
}

/** The text of a key that was made at run time (`"quality." + word`), or undefined where there is none. */
export function lookup(language: Language, key: string): string | undefined {
  return Object.hasOwn(dictionaries[language], key) ? dictionaries[language][key as Key] : undefined;
}

export function browserLanguage(languages: readonly string[]): Language {
  for (const tag of languages) {
    if (tag.toLowerCase().startsWith("zh")) return "zh";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "zh";
}

export interface I18n {
  language: Language;
  t: Translate;
  /** The name in the language in use, or in the other one where it is empty. */
  name: (names: { zh: string; en: string }) => string;
  collator: Intl.Collator;
}

export function makeI18n(language: Language): I18n {
  return {
    language,
    t: translator(language),
    name: (names) => names[language] || names.zh || names.en,
    collator: new Intl.Collator(language === "zh" ? "zh-Hans-CN-u-co-pinyin" : "en", { numeric: true }),
  };
}

export const I18nContext = createContext<I18n>(makeI18n("zh"));
export const useI18n = (): I18n => useContext(I18nContext);
